import type { Host } from "../../lab/host.ts";
import { ENDPOINT_PORT, endpointAddress, SERVICE_PORT, serviceAddress } from "./bench-services.ts";

const RULESET_FILE = "/run/by-hand.nft";

/**
 * The least that the kernel can be asked for: one rule that looks all services up in one map and translates. What it costs
 * is what any program's services cost at least.
 */
export async function translateByHand(node: Host, services: number): Promise<void> {
  const element = (i: number) => `${serviceAddress(i)} . ${SERVICE_PORT} : ${endpointAddress(i, 0)} . ${ENDPOINT_PORT}`;
  const elements = Array.from({ length: services }, (_, i) => element(i)).join(", ");
  await node.writeFile(
    RULESET_FILE,
    `table ip by-hand
delete table ip by-hand
table ip by-hand {
  map services {
    type ipv4_addr . inet_service : ipv4_addr . inet_service
    elements = { ${elements} }
  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    dnat to ip daddr . tcp dport map @services
  }
}
`,
  );
  await node.output(["nft", "-f", RULESET_FILE]);
}
