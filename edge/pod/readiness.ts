import { errorText, SelvedgeError } from "../../src/base/errors.ts";
import { findPodLink } from "../../src/linux/pod-links.ts";
import { AddressStore } from "./address-store.ts";
import type { NetworkConfig } from "./network-config.ts";
import type { PodHost } from "./pod-host.ts";

/**
 * Whether pods can be connected at all. A node that has no address left is not asked about: it is ready, and full.
 *
 * @throws SelvedgeError CNI_UNAVAILABLE
 */
export async function checkReadiness({ route, clock }: PodHost, config: NetworkConfig): Promise<void> {
  try {
    const store = new AddressStore(config.dataDir, config.name);
    await store.locked(clock, () => store.addresses());
  } catch (error) {
    throw unavailable(errorText(error), error);
  }
  const link = findPodLink(route, config.bridge);
  if (link !== undefined && link.kind !== "bridge") {
    throw unavailable(`link "${config.bridge}" is no bridge: its kind is ${link.kind ?? "hardware"}`, undefined);
  }
}

function unavailable(why: string, cause: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot connect pods: ${why}`, {
    code: "CNI_UNAVAILABLE",
    blame: "host",
    retry: "later",
    hint: "Mend what the sentence names; the container runtime asks again.",
    cause,
  });
}
