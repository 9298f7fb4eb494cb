import { type Ip, parseIp } from "../../src/base/ip.ts";
import { MAX_UPSTREAMS } from "./upstream-pool.ts";
import type { UpstreamAddress } from "./upstream-transport.ts";

/** More than any real file; what follows is not read. */
export const MAX_RESOLV_CONF_BYTES = 64 * 1024;
const DNS_PORT = 53;

/** The name servers of a resolv.conf (resolver(5)); lines that are not understood are passed over, as glibc does. */
export function parseResolvConf(text: string): readonly UpstreamAddress[] {
  const servers: UpstreamAddress[] = [];
  for (const line of text.slice(0, MAX_RESOLV_CONF_BYTES).split("\n")) {
    const address = /^nameserver[ \t]+(\S+)/.exec(line)?.[1];
    const ip = address === undefined ? undefined : parseIp(address);
    if (ip?.ok === true && servers.length < MAX_UPSTREAMS) servers.push({ address: ip.value, port: DNS_PORT });
  }
  return servers;
}

/** Leaves out where we listen ourselves. */
export function withoutOwn(
  servers: readonly UpstreamAddress[],
  ownAddresses: readonly Ip[],
  ownPort: number,
): readonly UpstreamAddress[] {
  return servers.filter(({ address, port }) => port !== ownPort || !ownAddresses.includes(address));
}
