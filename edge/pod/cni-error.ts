import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { CniVersion } from "./cni-version.ts";

/** The specification's numbers, and from 100 on our own. 999 is what its library gives for what it cannot name. */
const NUMBERS: Readonly<Record<string, number>> = {
  CNI_VERSION: 1,
  CNI_UNSUPPORTED: 2,
  CNI_ENVIRONMENT: 4,
  CNI_INPUT: 5,
  POD_ADDRESSES_UNWRITABLE: 5,
  CNI_DECODE: 6,
  CNI_CONFIG: 7,
  NETNS_INVALID: 8,
  POD_ADDRESSES_LOCKED: 11,
  POD_PORT_DOWN: 11,
  CNI_UNAVAILABLE: 50,
  POD_ADDRESSES_EXHAUSTED: 100,
  POD_INTERFACE_TAKEN: 101,
  POD_INTERFACE_GONE: 102,
  POD_BRIDGE_FOREIGN: 103,
  POD_BRIDGE_ADDRESS: 104,
  POD_PORTS_FAILED: 105,
  POD_BANDWIDTH_FAILED: 106,
  POD_CHECK_FAILED: 107,
};
const INTERNAL = 999;

/** What goes to standard output when a command fails: the runtime shows `msg` and `details` to people. */
export function formatCniError(version: CniVersion, error: unknown): string {
  const code = errorCode(error);
  const hint = error instanceof SelvedgeError ? error.hint : undefined;
  return JSON.stringify({
    cniVersion: version,
    code: NUMBERS[code] ?? INTERNAL,
    msg: `${code}: ${errorText(error)}`,
    details: hint ?? "",
  });
}
