import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Where our charon has its strongswan.conf and its socket; its unit knows it, too. */
export const CHARON_FOLDER = "/run/selvedge/charon";
export const CHARON_CONFIG = `${CHARON_FOLDER}/strongswan.conf`;
export const CHARON_SOCKET = `${CHARON_FOLDER}/charon.vici`;

/** Whole or not at all. @throws Error of node:fs */
export function writeCharonConfig(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
