import { AttributeReader } from "./attribute-reader.ts";
import type { NftRule } from "./nftables.ts";

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
/** enum nft_counter_attributes */
const NFTA_COUNTER_PACKETS = 2;

/** @returns what the counters of a dumped rule have counted; 0 where it has none, or cannot be read */
export function countedPackets({ expressions }: Pick<NftRule, "expressions">): number {
  const list = new AttributeReader(expressions);
  let packets = 0;
  while (list.next()) if (list.type === NFTA_LIST_ELEM) packets += packetsOf(list.nested());
  return packets;
}

function packetsOf(expression: AttributeReader): number {
  let name = "";
  let packets = 0;
  while (expression.next()) {
    if (expression.type === NFTA_EXPR_NAME) name = expression.text();
    else if (expression.type === NFTA_EXPR_DATA && name === "counter") {
      const data = expression.nested();
      while (data.next()) if (data.type === NFTA_COUNTER_PACKETS) packets = Number(data.u64be());
    }
  }
  return packets;
}
