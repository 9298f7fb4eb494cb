import { NAT_T_PORT } from "../network/tunnel-connection.ts";
import { IKE_PORT } from "../network/tunnel-endpoint.ts";
import { observePortHolders } from "./port-holders.ts";

/**
 * Why no charon of ours can start in this network namespace: another program has a port of IKE's. Debian's own
 * strongswan.service has them from the moment its package is installed.
 *
 * @returns undefined: both ports are free
 */
export function findIkePortTaken(): { readonly message: string; readonly hint: string } | undefined {
  for (const port of [IKE_PORT, NAT_T_PORT]) {
    const holder = observePortHolders(port).find(({ protocol }) => protocol === "UDP");
    if (holder === undefined) continue;
    const { program, pid } = holder;
    const who = pid === undefined ? "another program" : `${program ?? "a process"} (process ${pid})`;
    return {
      message: `Cannot start our own charon as UDP port ${port} is taken: current value is ${who}`,
      hint: "Without connections of its own, stop it (systemctl disable --now strongswan); with some, name its socket with --vici-socket.",
    };
  }
  return undefined;
}
