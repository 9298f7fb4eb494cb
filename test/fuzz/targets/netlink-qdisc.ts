import { decodeQdisc, type Qdisc } from "../../../src/wire/rtnetlink-qdisc.ts";
import { payloadTarget } from "../netlink-payload.ts";
import { hold } from "../property.ts";

export const target = payloadTarget<Qdisc>(decodeQdisc, ({ linkIndex, kind, bytesPerSecond }) => {
  hold(Number.isInteger(linkIndex) && !kind.includes("\0"), "a kind with its end inside");
  hold(bytesPerSecond === undefined || (bytesPerSecond >= 0 && kind === "tbf"), "a rate of what has none");
});
