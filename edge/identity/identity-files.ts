import { SecretText } from "../../src/base/secret-text.ts";
import type { CredentialOffer } from "./plan.ts";

/** Files, as an argument. */
export interface FileReader {
  /** undefined: there is none. @throws Error with the system's code */
  read(path: string): string | undefined;
  /** Names of the files in a folder, sorted; none where there is no folder. */
  list(folder: string): readonly string[];
}

/** What files give. */
export interface FoundFiles {
  /** The text of tunnels.yaml; undefined: it is not from files, or not there. */
  readonly config: string | undefined;
  readonly offers: readonly CredentialOffer[];
  /** The key that the node has made itself. */
  readonly nodeKey: SecretText | undefined;
}

/** Where tunnels.yaml and what charon's own starter reads are mounted, as in FabEdge's pods. */
export interface MountedPaths {
  readonly config: string;
  readonly certificate: string;
  readonly keys: string;
  readonly authorities: string;
}

/** charon's starter takes names without a folder from here. */
const IPSEC_D = "/etc/ipsec.d";

/** @param certificate as `--local-cert` has it: "tls.crt", or a path "…/certs/tls.crt", whose neighbours are the rest */
export function mountedPaths(config: string, certificate: string): MountedPaths {
  const path = certificate.startsWith("/") ? certificate : `${IPSEC_D}/certs/${certificate}`;
  const base = path.split("/").slice(0, -2).join("/");
  return { config, certificate: path, keys: `${base}/private`, authorities: `${base}/cacerts` };
}

/** @throws Error with the system's code */
export function readMounted(paths: MountedPaths, files: FileReader): FoundFiles {
  const all = (folder: string) => files.list(folder).flatMap((name) => files.read(`${folder}/${name}`) ?? []);
  const certificates = files.read(paths.certificate);
  const authorities = all(paths.authorities).join("\n");
  // Which of them fits is found out by trying: one is usual, two while one takes the other's place.
  const keys = all(paths.keys).map((text) => new SecretText(text));
  const offers =
    certificates === undefined
      ? []
      : (keys.length === 0 ? [undefined] : keys).map((key) => ({
          from: paths.certificate,
          texts: { certificates, key, authorities },
        }));
  return { config: files.read(paths.config), offers, nodeKey: undefined };
}

/** What `selvedge join` has left: the key is the node's own, the certificate the first that it was given for it. */
export function readJoined(folder: string, files: FileReader): FoundFiles {
  const key = files.read(`${folder}/tls.key`);
  const certificates = files.read(`${folder}/tls.crt`);
  const nodeKey = key === undefined ? undefined : new SecretText(key);
  const authorities = files.read(`${folder}/ca.crt`) ?? "";
  const offers =
    certificates === undefined
      ? []
      : [{ from: `${folder}/tls.crt`, texts: { certificates, key: nodeKey, authorities } }];
  return { config: undefined, offers, nodeKey };
}
