import type { Family } from "../../src/base/ip.ts";
import { listSysctls, readSysctl, writeSysctl } from "../../src/linux/sysctl.ts";

/**
 * Lets packets pass from link to link. A node that forwards takes no more router advertisements unless it is told to
 * (accept_ra 2 in the kernel's ip-sysctl.rst): one that has its own default route from them would lose it.
 *
 * @throws SelvedgeError where the kernel, or who started us, does not let us
 */
export function enableForwarding(families: ReadonlySet<Family>): void {
  if (families.has(4)) writeSysctl("net/ipv4/ip_forward", "1");
  if (!families.has(6) || readSysctl("net/ipv6/conf/all/forwarding") !== "0") return;
  for (const link of listSysctls("net/ipv6/conf")) {
    const setting = `net/ipv6/conf/${link}/accept_ra`;
    if (readSysctl(setting) === "1") writeSysctl(setting, "2");
  }
  writeSysctl("net/ipv6/conf/all/forwarding", "1");
}
