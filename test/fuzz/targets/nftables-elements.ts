import { planSets } from "../../../edge/service/ruleset.ts";
import { AttributeReader } from "../../../src/wire/attribute-reader.ts";
import type { NetlinkWriter } from "../../../src/wire/netlink-writer.ts";
import { decodeElementList, NftMessage, nftHeader, nftType } from "../../../src/wire/nftables.ts";
import { decodeElements, ElementEncoder, type SetElement } from "../../../src/wire/nftables-element.ts";
import type { SetSpec } from "../../../src/wire/nftables-set.ts";
import { messageOf, PAYLOAD_BYTES, written } from "../netlink-payload.ts";
import { hold, holdSame, refused, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const SPECS: readonly SetSpec[] = [...Object.values(planSets(4)), ...Object.values(planSets(6))];
const ENCODERS = SPECS.map((spec) => new ElementEncoder(spec, true));

/** The first byte chooses the set whose types the elements have. */
export const target: FuzzTarget = {
  mostBytes: PAYLOAD_BYTES,
  form: "little-endian",
  run: (input) => {
    const index = (input[0] ?? 0) % SPECS.length;
    const [spec, encoder] = [SPECS[index], ENCODERS[index]];
    if (spec === undefined || encoder === undefined) return "no set";
    const payload = input.subarray(1);
    const decoded = decodeElementList(messageOf(payload), spec);
    decodeElements(new AttributeReader(payload), spec);
    if (!decoded.ok) return refused(decoded.error, payload);
    hold(decoded.value.length <= payload.length / 4, "more elements than fit");
    // A key that has not the length of its type is none.
    const whole = decoded.value.filter((element) => isWhole(element, spec));
    const again = decodeElementList(messageOf(written((writer) => encodeList(writer, encoder, whole))), spec);
    const expected = whole.map(({ expiresMilliseconds: _, ...element }) => element);
    holdSame(unwrap(again, "what was read"), expected, "read, written and read again");
    return `${Math.min(whole.length, 3)} whole of ${Math.min(decoded.value.length, 3)} elements of set ${index}`;
  },
};

function isWhole({ key, keyEnd, data }: SetElement, spec: SetSpec): boolean {
  const dataFields = spec.data === undefined || spec.data === "verdict" ? undefined : spec.data.length;
  return (
    key.length === spec.key.length &&
    (keyEnd === undefined || keyEnd.length === spec.key.length) &&
    (data === undefined || data.length === dataFields)
  );
}

function encodeList(writer: NetlinkWriter, encoder: ElementEncoder, elements: readonly SetElement[]): void {
  writer.beginMessage(nftType(NftMessage.newElement), 0, 1);
  nftHeader(writer, 4);
  const list = writer.beginNested(NFTA_SET_ELEM_LIST_ELEMENTS);
  for (const element of elements) encoder.encode(writer, element);
  writer.endNested(list);
  writer.endMessage();
}
