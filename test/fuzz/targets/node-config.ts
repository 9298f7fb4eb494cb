import { parseNodeConfig, parsePeerShard } from "../../../src/kube/objects/node-config.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 320,
  form: "text",
  words: [
    "peers:",
    "endpoint:",
    "mediator:",
    "peerShards: 1",
    "- ",
    "[]",
    "10.0.0.0/24",
    "192.0.2.1",
    "&a",
    "*a",
    "\n  ",
  ],
  run: (input) => {
    const text = textOf(input);
    const [config, shard] = [parseNodeConfig(text), parsePeerShard(text)];
    for (const read of [config, shard]) hold(read.ok || read.error.why.length < 2000, "a reason without an end");
    if (config.ok) hold((config.value.peerShards ?? 0) <= 256, `${config.value.peerShards} shards`);
    return `${config.ok ? "a" : "no"} configuration, ${shard.ok ? Math.min(shard.value.length, 3) : "no"} peers`;
  },
};
