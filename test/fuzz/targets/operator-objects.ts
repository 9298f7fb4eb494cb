import { parseLease } from "../../../src/kube/lease.ts";
import { parseJsonText } from "../../../src/kube/object-reader.ts";
import { parseCluster } from "../../../src/kube/objects/cluster.ts";
import { parseClusterNode } from "../../../src/kube/objects/cluster-node.ts";
import { parseCommunity } from "../../../src/kube/objects/community.ts";
import { parseConfigMap } from "../../../src/kube/objects/config-map.ts";
import { parseIpamBlock } from "../../../src/kube/objects/ipam-block.ts";
import { parseSecret } from "../../../src/kube/objects/secret.ts";
import { hold, textOf, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const filter = { labels: new Set(["zone"]), annotations: () => true };
const PARSERS = {
  lease: parseLease,
  cluster: parseCluster,
  "cluster node": (json: unknown) => parseClusterNode(json, filter),
  community: parseCommunity,
  "config map": parseConfigMap,
  "IPAM block": parseIpamBlock,
  secret: parseSecret,
};
const NAMES = Object.keys(PARSERS) as readonly (keyof typeof PARSERS)[];
let count = 0;

/** Each object through the parsers of all kinds in turn: the API server says which it is, and that may lie. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "json",
  words: ['"metadata":', '"spec":', '"data":', '"10.0.0.0/24"', '"a2V5"', '"=="', '"192.0.2.1"', "2147483648", '"a/b"'],
  run: (input) => {
    const name = NAMES[count++ % NAMES.length] ?? "lease";
    const json = parseJsonText(textOf(input));
    if (json === undefined) return "no JSON";
    const read = PARSERS[name](json);
    if (read.ok) return `a ${name}`;
    hold(String(read.error.at).length <= 1100, "a place that is told at such a length");
    return `no ${name}: ${withoutNumbers(read.error.why).slice(0, 24)}`;
  },
};
