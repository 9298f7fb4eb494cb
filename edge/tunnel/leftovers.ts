import { errorCode } from "../../src/base/errors.ts";
import { FABRIC_TABLE } from "../../src/linux/fabric-table.ts";
import type { NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { removeTable } from "../../src/linux/nftables-table.ts";
import { removeRoutingRules } from "../../src/linux/routing-rules.ts";
import { RoutingTable } from "../../src/linux/routing-table.ts";
import { NODE_ROUTES_TABLE, POD_ROUTES_TABLE } from "../../src/linux/routing-table-plan.ts";

const TABLES = [POD_ROUTES_TABLE, NODE_ROUTES_TABLE];

/**
 * Removes what tunnels have in the kernel besides charon's, whether an agent runs or not. For `selvedge cleanup`.
 *
 * @param dryRun only look
 * @returns what was removed, or would be, for a person
 */
export function removeFabric(route: NetlinkSocket, dryRun: boolean): readonly string[] {
  return [
    ...removeRoutingRules(route, TABLES, dryRun),
    ...TABLES.flatMap((table) => new RoutingTable(route, table).remove(dryRun)),
    ...removeGuard(dryRun),
  ];
}

/** After the routes: nothing leaves in clear while they go. */
function removeGuard(dryRun: boolean): readonly string[] {
  let nft: Nftables;
  try {
    nft = new Nftables();
  } catch (error) {
    // A kernel without nftables has no tables of ours.
    if (errorCode(error) === "NFT_MISSING") return [];
    throw error;
  }
  try {
    return removeTable(nft, "inet", FABRIC_TABLE, dryRun) ? [`nftables table inet ${FABRIC_TABLE}`] : [];
  } finally {
    nft.close();
  }
}
