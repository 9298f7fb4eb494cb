import { type Duration, seconds } from "../base/duration.ts";
import { parseIp } from "../base/ip.ts";
import type { ViciSection } from "../wire/vici-message.ts";
import type { ChildAssociation, ChildState, IkeAssociation, IkeState } from "./security-association.ts";

/**
 * The IKE_SAs of one "list-sa" or "…-updown" event: each a section under its connection's name. One that lacks what makes
 * it an IKE_SA is left out.
 */
export function decodeAssociations(event: ViciSection): readonly IkeAssociation[] {
  return event.sections().flatMap(([name, section]) => decodeIke(name, section) ?? []);
}

function decodeIke(name: string, ike: ViciSection): IkeAssociation | undefined {
  const uniqueId = ike.number("uniqueid");
  const state = ike.text("state");
  const localHost = parseIp(ike.text("local-host") ?? "");
  const remoteHost = parseIp(ike.text("remote-host") ?? "");
  if (uniqueId === undefined || state === undefined || !localHost.ok || !remoteHost.ok) return undefined;
  return {
    name,
    uniqueId,
    state: state as IkeState,
    initiator: ike.flag("initiator"),
    initiatorSpi: ike.text("initiator-spi") ?? "",
    responderSpi: ike.text("responder-spi") ?? "",
    localId: ike.text("local-id") ?? "",
    remoteId: ike.text("remote-id") ?? "",
    localHost: localHost.value,
    localPort: ike.number("local-port") ?? 0,
    remoteHost: remoteHost.value,
    remotePort: ike.number("remote-port") ?? 0,
    natAny: ike.flag("nat-any"),
    natLocal: ike.flag("nat-local"),
    natRemote: ike.flag("nat-remote"),
    proposal: proposalOf(ike),
    age: duration(ike, "established"),
    rekeyIn: duration(ike, "rekey-time"),
    tasks: [...ike.list("tasks-active"), ...ike.list("tasks-queued")],
    // A section is named after the child and its number, so that two of one name can stand beside each other.
    children: (ike.section("child-sas")?.sections() ?? []).flatMap(([, child]) => decodeChild(child) ?? []),
  };
}

function decodeChild(child: ViciSection): ChildAssociation | undefined {
  const uniqueId = child.number("uniqueid");
  const [name, state] = [child.text("name"), child.text("state")];
  if (uniqueId === undefined || name === undefined || state === undefined) return undefined;
  return {
    name,
    uniqueId,
    state: state as ChildState,
    mode: child.text("mode") ?? "",
    encapsulated: child.flag("encap"),
    proposal: proposalOf(child),
    encryption: child.text("encr-alg"),
    integrity: child.text("integ-alg"),
    spiIn: child.text("spi-in"),
    spiOut: child.text("spi-out"),
    localSelectors: child.list("local-ts"),
    remoteSelectors: child.list("remote-ts"),
    bytesIn: child.number("bytes-in") ?? 0,
    packetsIn: child.number("packets-in") ?? 0,
    bytesOut: child.number("bytes-out") ?? 0,
    packetsOut: child.number("packets-out") ?? 0,
    idleIn: duration(child, "use-in"),
    idleOut: duration(child, "use-out"),
    age: duration(child, "install-time") ?? seconds(0),
    rekeyIn: duration(child, "rekey-time"),
    expiresIn: duration(child, "life-time"),
  };
}

/** In swanctl's order (its commands/list_sas.c). */
function proposalOf(section: ViciSection): string {
  const sized = (algorithm: string, size: string) => {
    const [name, bits] = [section.text(algorithm), section.text(size)];
    return bits === undefined || name === undefined ? name : `${name}-${bits}`;
  };
  const parts = [
    sized("encr-alg", "encr-keysize"),
    sized("integ-alg", "integ-keysize"),
    section.text("prf-alg"),
    section.text("dh-group"),
    section.text("esn") === "1" ? "ESN" : undefined,
  ];
  return parts.filter((part) => part !== undefined).join("/");
}

function duration(section: ViciSection, name: string): Duration | undefined {
  const value = section.number(name);
  return value === undefined ? undefined : seconds(value);
}
