import { ipFamily, type Prefix } from "../../src/base/ip.ts";
import { readSysctl } from "../../src/linux/sysctl.ts";

const SETTINGS = { 4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding" } as const;

/**
 * A node that runs pods passes packets on already: kubelet and the pod network see to it, and a container without
 * privileges could not.
 *
 * @returns the settings that say otherwise, of the families that there are pods of
 */
export function familiesNotForwarded(pods: readonly Prefix[]): readonly string[] {
  const families = new Set(pods.map(({ address }) => ipFamily(address)));
  return [...families].map((family) => SETTINGS[family]).filter((setting) => readSysctl(setting) === "0");
}
