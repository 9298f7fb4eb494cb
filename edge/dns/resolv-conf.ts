import { type Ip, parseIp } from "../../src/base/ip.ts";
import { MAX_UPSTREAMS } from "./upstream-pool.ts";
import type { UpstreamAddress } from "./upstream-transport.ts";

/** More than any real file; what follows is not read. */
export const MAX_RESOLV_CONF_BYTES = 64 * 1024;
const DNS_PORT = 53;

/** With a link behind it, of IFNAMSIZ - 1 characters at most, where a router announces its link-local address. */
const NAME_SERVER = /^nameserver[ \t]+([^\s%]+)(?:%([^\s%/:]{1,15}))?(?=\s|$)/;
/** fe80::/10 */
const LINK_LOCAL = /^fe[89ab][0-9a-f]:/i;

/** The name servers of a resolv.conf (resolver(5)); lines that are not understood are passed over, as glibc does. */
export function parseResolvConf(text: string): readonly UpstreamAddress[] {
  const servers: UpstreamAddress[] = [];
  for (const line of text.slice(0, MAX_RESOLV_CONF_BYTES).split("\n")) {
    const [, address = "", zone] = NAME_SERVER.exec(line) ?? [];
    const ip = zone === undefined || LINK_LOCAL.test(address) ? parseIp(address) : undefined;
    if (ip?.ok === true && servers.length < MAX_UPSTREAMS) servers.push({ address: ip.value, port: DNS_PORT, zone });
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
