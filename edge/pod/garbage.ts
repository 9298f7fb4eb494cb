import { errorCode } from "../../src/base/errors.ts";
import { deleteLink } from "../../src/linux/links.ts";
import { listPodLinks } from "../../src/linux/pod-links.ts";
import { AddressStore } from "./address-store.ts";
import type { NetworkConfig } from "./network-config.ts";
import { hostPortsOf, type PodHost } from "./pod-host.ts";
import { type Attachment, isHeldBy } from "./reservation.ts";
import { parseLinkAlias } from "./veth-name.ts";

/**
 * Takes away what belongs to pods that are no more: their addresses, host ports and links. Who does not say which pods
 * there are, as the runtimes' library may, takes none away.
 */
export async function collectGarbage({ route, clock }: PodHost, config: NetworkConfig): Promise<void> {
  const { validAttachments: valid } = config;
  const isGone = (owner: Attachment) => valid?.some((attachment) => isHeldBy(owner, attachment)) === false;
  for (const link of listPodLinks(route)) {
    const owner = parseLinkAlias(config.name, link.alias);
    if (owner === undefined || !isGone(owner)) continue;
    try {
      deleteLink(route, link);
    } catch (error) {
      if (errorCode(error) !== "ENODEV") throw error;
    }
  }
  const store = new AddressStore(config.dataDir, config.name);
  await store.locked(clock, () => {
    hostPortsOf(store, config).removeAll(isGone);
    for (const [address, owner] of store.reservations()) {
      // Under the lock nobody is about to write one that is empty.
      if (owner === undefined || isGone(owner)) store.free(address);
    }
  });
}
