import { parseNodeConfig, parsePeerShard } from "../../../src/kube/objects/node-config.ts";
import { formatNodeConfig, formatPeer, formatPeers } from "../../../src/network/node-config-text.ts";
import { hold, holdSame, refused, textOf, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What is read from a ConfigMap and written again says the same, whoever wrote it. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "text",
  words: [
    ...[
      "id: ",
      "name: ",
      "publicAddresses: ",
      "subnets: ",
      "nodeSubnets: ",
      "type: ",
      "port: ",
      "peers:\n",
      "mediator:",
    ],
    ...[
      "  - ",
      "&a ",
      "*a",
      "[",
      "]",
      "{",
      "}",
      ": ",
      "|\n",
      '"',
      "10.1.0.0/33",
      "fd00::",
      "e1.example.org",
      "no",
      "~",
    ],
  ],
  run: (input) => {
    const text = textOf(input);
    const config = parseNodeConfig(text);
    const shard = parsePeerShard(text);
    hold(!config.ok || shard.ok, "a configuration whose peers cannot be read");
    if (!config.ok) return refused(config.error, input).slice(0, 60);
    holdSame(unwrap(parseNodeConfig(formatNodeConfig(config.value)), "what we write"), config.value, "written again");
    const { peers } = config.value;
    holdSame(unwrap(parsePeerShard(formatPeers(peers.map(formatPeer))), "its peers"), peers, "its peers written again");
    return `${Math.min(peers.length, 2)} peers`;
  },
};
