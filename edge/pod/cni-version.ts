/** What the plugin is asked in, and answers in. Earlier versions know no list of interfaces. */
export const CNI_VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export type CniVersion = (typeof CNI_VERSIONS)[number];

/** The newest one: for whoever asks for versions, and for errors of a request whose version cannot be read. */
export const NEWEST_CNI_VERSION: CniVersion = "1.1.0";

export function parseCniVersion(text: string): CniVersion | undefined {
  return CNI_VERSIONS.find((version) => version === text);
}

/** Whether a version has a command: CHECK came with 0.4.0, GC and STATUS with 1.1.0. */
export function isAtLeast(version: CniVersion, least: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(least);
}
