import { isIP } from "node:net";
import { parseResolvConf, withoutOwn } from "../../../edge/dns/resolv-conf.ts";
import { MAX_UPSTREAMS } from "../../../edge/dns/upstream-pool.ts";
import { formatUpstream } from "../../../edge/dns/upstream-transport.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 512,
  form: "text",
  words: ["nameserver ", "nameserver\t", "\n", "#", ";", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "options ndots:5"],
  run: (input) => {
    const servers = parseResolvConf(textOf(input));
    hold(servers.length <= MAX_UPSTREAMS, `${servers.length} servers`);
    for (const server of servers) {
      hold(isIP(server.address) !== 0 && server.port === 53, formatUpstream(server));
      hold(!withoutOwn(servers, [server.address], 53).includes(server), "a server that is ourselves");
    }
    return `${Math.min(servers.length, 3)} servers`;
  },
};
