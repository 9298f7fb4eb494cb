import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { ServiceLink } from "../../src/linux/service-link.ts";
import type { Leftover } from "../cli/cli-io.ts";
import type { Config } from "../config/options.ts";
import { countPods, removePodNetwork } from "../pod/leftovers.ts";
import type { PodNetworkSettings } from "../pod/pod-network.ts";
import { removeRuleset } from "../service/open-nftables.ts";
import { removeFabric } from "../tunnel/leftovers.ts";
import { podNetworkSettings } from "./pods.ts";

/** What the agent leaves in the kernel when it stops, so that traffic goes on: all of it, and nothing else. */
export function findLeftovers(config: Config): readonly Leftover[] {
  const route = new NetlinkSocket(NETLINK_ROUTE);
  const link = new ServiceLink(route, config.dummyInterfaceName);
  const pods = podNetworkSettings(config);
  const podCount = countPods(route, pods);
  return [
    ...removeRuleset(true).map((what) => ({ what, remove: async () => void removeRuleset(false) })),
    ...removePodNetwork(route, pods, true).map((what) => ({
      what,
      remove: async () => void removePodNetwork(route, pods, false),
    })),
    ...(podCount === 0 ? [] : [neededByPods(pods, podCount)]),
    ...removeFabric(route, true).map((what) => ({ what, remove: async () => void removeFabric(route, false) })),
    ...link.remove(true).map((what) => ({ what, remove: async () => void link.remove(false) })),
  ];
}

function neededByPods({ bridgeName }: PodNetworkSettings, pods: number): Leftover {
  return {
    what: `link ${bridgeName}, the plugin and its configuration`,
    remove: undefined,
    neededBy: pods === 1 ? "a pod hangs on it" : `${pods} pods hang on it`,
  };
}
