import { decodePodLink, type PodLink } from "../../../src/wire/rtnetlink-pod-link.ts";
import { PAYLOAD_BYTES, payloadTarget } from "../netlink-payload.ts";
import { hold } from "../property.ts";

export const target = payloadTarget<PodLink>(decodePodLink, (link) => {
  hold(link.hardwareAddress.length <= PAYLOAD_BYTES, "an address that is longer than the message");
  hold(!(link.alias ?? "").includes("\0"), "an alias with its end inside");
  hold(link.peerIndex === undefined || link.kind === "veth", "another end of what has one");
});
