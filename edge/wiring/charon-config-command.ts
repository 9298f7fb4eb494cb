import { SelvedgeError } from "../../src/base/errors.ts";
import { probeEsp } from "../../src/linux/esp-probe.ts";
import { observePortHolders } from "../../src/linux/port-holders.ts";
import { IKE_PORT } from "../../src/network/tunnel-endpoint.ts";
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
  const holder = observePortHolders(IKE_PORT).find(({ protocol }) => protocol === "UDP");
  if (holder !== undefined) throw taken(holder.program, holder.pid);
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

function taken(program: string | undefined, pid: number | undefined): SelvedgeError {
  const who = program === undefined ? "another program" : `${program} (process ${pid})`;
  return new SelvedgeError(`Cannot start our own charon as UDP port ${IKE_PORT} is taken: current value is ${who}`, {
    code: "IKE_PORT_TAKEN",
    blame: "host",
    retry: "later",
    hint: "Without connections of its own, stop it (systemctl disable --now strongswan); with some, name its socket with --vici-socket.",
  });
}
