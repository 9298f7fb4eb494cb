import { SelvedgeError } from "../../src/base/errors.ts";
import { probeEsp } from "../../src/linux/esp-probe.ts";
import { findIkePortTaken } from "../../src/linux/ike-ports.ts";
import { formatCharonConfig } from "../../src/strongswan/charon-config.ts";
import { CHARON_CONFIG, CHARON_SOCKET, writeCharonConfig } from "../../src/strongswan/charon-folder.ts";
import type { Config } from "../config/options.ts";

/**
 * Writes what our charon is to read before it starts.
 *
 * @returns a sentence about what it will do
 * @throws SelvedgeError CHARON_ELSEWHERE, IKE_PORT_TAKEN
 */
export function configureCharon({ viciSocket, cniBridgeName, dummyInterfaceName }: Config): string {
  if (viciSocket !== CHARON_SOCKET) throw elsewhere(viciSocket);
  const taken = findIkePortTaken();
  if (taken !== undefined) {
    throw new SelvedgeError(taken.message, { code: "IKE_PORT_TAKEN", blame: "host", retry: "later", hint: taken.hint });
  }
  const kernelEsp = probeEsp();
  const ignoredLinks = [cniBridgeName, dummyInterfaceName];
  writeCharonConfig(
    CHARON_CONFIG,
    formatCharonConfig({ role: "edge", kernelEsp, viciSocket: CHARON_SOCKET, ignoredLinks }),
  );
  return kernelEsp
    ? "ESP is the kernel's."
    : "This kernel has no ESP with AES-GCM: charon does it in user space, slowly, behind the link ipsec0.";
}

function elsewhere(viciSocket: string): SelvedgeError {
  return new SelvedgeError(
    `Cannot configure our own charon as --vici-socket names another: current value is ${viciSocket}`,
    {
      code: "CHARON_ELSEWHERE",
      blame: "user",
      retry: "never",
      hint: "Nothing is wrong where that charon is to be used; else leave --vici-socket out.",
    },
  );
}
