import { decodeLink, type Link } from "../../../src/wire/rtnetlink-link.ts";
import { payloadTarget } from "../netlink-payload.ts";
import { hold } from "../property.ts";

export const target = payloadTarget<Link>(decodeLink, (link) => {
  hold(Number.isInteger(link.index) && link.mtu >= 0, "a link's numbers");
  hold(!link.name.includes("\0") && !(link.kind ?? "").includes("\0"), "a name with its end inside");
  hold(link.bridgeCallsIptables === undefined || link.kind === "bridge", "a bridge's setting of another link");
});
