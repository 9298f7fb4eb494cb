import { errorCode } from "../../src/base/errors.ts";
import { deleteLink, listLinks } from "../../src/linux/links.ts";
import type { NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { removeTable } from "../../src/linux/nftables-table.ts";
import type { Link } from "../../src/wire/rtnetlink-link.ts";
import { AddressStore } from "./address-store.ts";
import { ConfFolder } from "./conf-folder.ts";
import { conflistName } from "./conf-folder-plan.ts";
import { namesOurPlugin } from "./conflist.ts";
import { hostPortTableName } from "./host-port-table.ts";
import { DATA_DIR } from "./network-config.ts";
import { PluginFolder } from "./plugin-folder.ts";
import type { PodNetworkSettings } from "./pod-network.ts";

/**
 * @param route a NETLINK_ROUTE socket, here and below
 * @returns how many pods of our plugin, or other links, hang on the bridge
 */
export function countPods(route: NetlinkSocket, settings: PodNetworkSettings): number {
  const isOurs = confOf(settings).remove(namesOurPlugin, true) || new PluginFolder(settings.binPath).remove(true);
  return isOurs ? countPorts(listLinks(route), settings.bridgeName) : 0;
}

/**
 * For `selvedge cleanup`: the configuration, the plugin, the bridge, tables of host ports, and the folder of addresses
 * when none is given out. Nothing while pods hang on the bridge: they work, and their runtime needs the plugin to take
 * them away.
 *
 * @param dryRun only look
 * @returns what was removed, or would be, for a person
 */
export function removePodNetwork(
  route: NetlinkSocket,
  settings: PodNetworkSettings,
  dryRun: boolean,
  dataDir: string = DATA_DIR,
): readonly string[] {
  const links = listLinks(route);
  if (countPorts(links, settings.bridgeName) > 0) return [];
  const removed: string[] = [];
  const conf = confOf(settings);
  if (conf.remove(namesOurPlugin, dryRun)) removed.push(`file ${conf.file}`);
  const plugins = new PluginFolder(settings.binPath);
  if (plugins.remove(dryRun)) removed.push(`file ${plugins.file}`);
  removed.push(...removeTables(hostPortTableName(settings.networkName), dryRun));
  // Without any of these the rest is FabEdge's, whose names for it are the same.
  if (removed.length === 0) return removed;
  const bridge = bridgeOf(links, settings.bridgeName);
  if (bridge !== undefined) {
    if (!dryRun) deleteLink(route, bridge);
    removed.push(`link ${bridge.name}`);
  }
  const addresses = new AddressStore(dataDir, settings.networkName);
  if (addresses.removeUnused(dryRun)) removed.push(`folder ${addresses.folder}`);
  return removed;
}

function confOf({ confPath, networkName }: PodNetworkSettings): ConfFolder {
  return new ConfFolder(confPath, conflistName(networkName));
}

function countPorts(links: readonly Link[], bridgeName: string): number {
  const bridge = bridgeOf(links, bridgeName);
  return bridge === undefined ? 0 : links.filter((link) => link.master === bridge.index).length;
}

function bridgeOf(links: readonly Link[], name: string): Link | undefined {
  return links.find((link) => link.name === name && link.kind === "bridge");
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
