import { parseJsonText } from "../../../src/kube/object-reader.ts";
import { parseCluster } from "../../../src/kube/objects/cluster.ts";
import { parseCommunity } from "../../../src/kube/objects/community.ts";
import { parseIpamBlock } from "../../../src/kube/objects/ipam-block.ts";
import { parsePeerShard } from "../../../src/kube/objects/node-config.ts";
import { formatPeer, formatPeers } from "../../../src/network/node-config-text.ts";
import { hold, holdSame, textOf, unwrap, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** Communities, Clusters and Calico's blocks: what a cluster says of its endpoints can always be handed to a node. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "json",
  words: [
    ...['"metadata":', '"spec":', '"members":', '"cidrs":', '"endpoints":', '"endPoints":', '"token":', '"subnets":'],
    ...[
      '"nodeSubnets":',
      '"publicAddresses":',
      '"affinity":"host:e1"',
      '"deleted":true',
      '"10.1.0.0/24"',
      '"a.b"',
      '"type":"Connector"',
    ],
    ...["{", "}", "[", "]", "45000"],
  ],
  run: (input) => {
    const json = parseJsonText(textOf(input));
    const community = parseCommunity(json);
    const cluster = parseCluster(json);
    const block = parseIpamBlock(json);
    if (cluster.ok) {
      const { endpoints } = cluster.value;
      const text = formatPeers(endpoints.map(formatPeer));
      holdSame(unwrap(parsePeerShard(text), "its endpoints"), endpoints, "its endpoints, as a node gets them");
      hold(!("token" in cluster.value), "its token");
    }
    const outcome = [community, cluster, block].map((one) =>
      one.ok ? "read" : withoutNumbers(one.error.why).slice(0, 20),
    );
    return outcome.join(", ");
  },
};
