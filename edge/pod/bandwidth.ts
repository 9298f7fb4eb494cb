import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { deleteLink } from "../../src/linux/links.ts";
import type { NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { changeLink, createIfb, findPodLink } from "../../src/linux/pod-links.ts";
import { addTokenBucket, redirectIncoming } from "../../src/linux/qdiscs.ts";
import type { PodLink } from "../../src/wire/rtnetlink-pod-link.ts";
import type { TokenBucket } from "../../src/wire/rtnetlink-qdisc.ts";
import type { Bandwidth, Shape } from "./bandwidth-config.ts";
import { ifbName } from "./ifb-name.ts";
import type { Attachment } from "./reservation.ts";
import { linkAlias } from "./veth-name.ts";

/** What may wait for its turn, as the stock plugin has it. */
const LATENCY_SECONDS = 0.025;

/**
 * Limits what goes to and comes from a pod: the one where it leaves this node for the pod, the other where it would
 * come in, by way of a link of its own, since the kernel shapes only what goes out.
 *
 * @param host the node's end of the pod's link
 * @returns the link that was made for the second
 * @throws SelvedgeError POD_BANDWIDTH_FAILED
 */
export function limitBandwidth(
  route: NetlinkSocket,
  host: PodLink,
  network: string,
  attachment: Attachment,
  { ingress, egress }: Bandwidth,
): PodLink | undefined {
  try {
    if (ingress !== undefined) addTokenBucket(route, bucketOf(host, ingress));
    if (egress === undefined) return undefined;
    const name = ifbName(network, attachment.containerId);
    createIfb(route, name, host.mtu);
    const ifb = findPodLink(route, name);
    if (ifb === undefined) throw new RangeError(`link "${name}" has vanished`);
    changeLink(route, ifb, { alias: linkAlias(network, attachment) });
    addTokenBucket(route, bucketOf(ifb, egress));
    redirectIncoming(route, host.index, ifb.index);
    return ifb;
  } catch (error) {
    throw failed(error);
  }
}

/** The other limits go with the links that they are on. */
export function forgetBandwidth(route: NetlinkSocket, network: string, { containerId }: Attachment): void {
  const link = findPodLink(route, ifbName(network, containerId));
  if (link === undefined || link.kind !== "ifb") return;
  try {
    deleteLink(route, link);
  } catch (error) {
    if (errorCode(error) !== "ENODEV") throw error;
  }
}

function bucketOf({ index }: PodLink, { bitsPerSecond, burstBits }: Shape): TokenBucket {
  const bytesPerSecond = Math.floor(bitsPerSecond / 8);
  const burstBytes = Math.floor(burstBits / 8);
  const limitBytes = Math.floor(bytesPerSecond * LATENCY_SECONDS) + burstBytes;
  return { linkIndex: index, bytesPerSecond, burstBytes, limitBytes };
}

function failed(cause: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot limit the pod's bandwidth as the kernel refuses: ${errorCode(cause)}`, {
    code: "POD_BANDWIDTH_FAILED",
    blame: "host",
    retry: "later",
    hint: "It needs sch_tbf, and for what comes from a pod ifb, sch_ingress, cls_u32 and act_mirred; or remove the pod's bandwidth annotations.",
    cause,
  });
}
