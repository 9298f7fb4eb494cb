import { errorCode } from "../../src/base/errors.ts";
import { deleteLink, listLinks } from "../../src/linux/links.ts";
import type { NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { removeTable } from "../../src/linux/nftables-table.ts";
import { ConfFolder } from "./conf-folder.ts";
import { conflistName } from "./conf-folder-plan.ts";
import { namesOurPlugin } from "./conflist.ts";
import { hostPortTableName } from "./host-port-table.ts";
import { PluginFolder } from "./plugin-folder.ts";
import type { PodNetworkSettings } from "./pod-network.ts";

/**
 * For `selvedge cleanup`: the configuration, the plugin, the bridge and tables of host ports. Nothing while pods hang
 * on the bridge: they work, and their runtime needs the plugin to take them away.
 *
 * @param route a NETLINK_ROUTE socket
 * @param dryRun only look
 * @returns what was removed, or would be, for a person
 */
export function removePodNetwork(
  route: NetlinkSocket,
  settings: PodNetworkSettings,
  dryRun: boolean,
): readonly string[] {
  const links = listLinks(route);
  const bridge = links.find((link) => link.name === settings.bridgeName && link.kind === "bridge");
  if (bridge !== undefined && links.some((link) => link.master === bridge.index)) return [];
  const removed: string[] = [];
  const conf = new ConfFolder(settings.confPath, conflistName(settings.networkName));
  if (conf.remove(namesOurPlugin, dryRun)) removed.push(`file ${conf.file}`);
  const plugins = new PluginFolder(settings.binPath);
  if (plugins.remove(dryRun)) removed.push(`file ${plugins.file}`);
  removed.push(...removeTables(hostPortTableName(settings.networkName), dryRun));
  // Without any of these it is FabEdge's, whose name for it is the same.
  if (bridge !== undefined && removed.length > 0) {
    if (!dryRun) deleteLink(route, bridge);
    removed.push(`link ${bridge.name}`);
  }
  return removed;
}

function removeTables(name: string, dryRun: boolean): readonly string[] {
  let nft: Nftables;
  try {
    nft = new Nftables();
  } catch (error) {
    if (errorCode(error) === "NFT_MISSING") return [];
    throw error;
  }
  try {
    const families = ([4, 6] as const).filter((family) => removeTable(nft, family, name, dryRun));
    return families.map((family) => `nftables table ${family === 4 ? "ip" : "ip6"} ${name}`);
  } finally {
    nft.close();
  }
}
