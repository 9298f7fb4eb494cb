/** What container runtimes read in a folder of network configurations (libcni's ConfFiles). */
const EXTENSIONS = [".conf", ".conflist", ".json"];

/** The name of our file. */
export function conflistName(networkName: string): string {
  return `${networkName}.conflist`;
}

/**
 * Runtimes take the first file that is one, in the order of their names.
 *
 * @param isNetwork whether what stands in a file is a network configuration at all
 * @returns the file that wins over ours; undefined when ours does
 */
export function findShadow(
  names: readonly string[],
  own: string,
  isNetwork: (name: string) => boolean,
): string | undefined {
  return names
    .filter((name) => EXTENSIONS.some((extension) => name.endsWith(extension)) && name < own)
    .sort()
    .find(isNetwork);
}

/** @param text of a file, undefined for one that cannot be read */
export function isNetworkConfiguration(text: string | undefined): boolean {
  if (text === undefined) return false;
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json !== "object" || json === null) return false;
    const { type, plugins } = json as { readonly type?: unknown; readonly plugins?: unknown };
    return typeof type === "string" || (Array.isArray(plugins) && plugins.length > 0);
  } catch {
    return false;
  }
}
