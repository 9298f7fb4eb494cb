import { errorCode } from "../../src/base/errors.ts";
import { NetworkNamespace } from "../../src/linux/network-namespace.ts";
import { AddressStore } from "./address-store.ts";
import { forgetBandwidth } from "./bandwidth.ts";
import type { NetworkConfig } from "./network-config.ts";
import { type PodHost, release } from "./pod-host.ts";
import { disconnectPod, openInside } from "./pod-interface.ts";
import type { Attachment } from "./reservation.ts";

/**
 * Takes a pod's interface away, and whatever an ADD left that did not end. What is gone already is no error: a runtime
 * asks again until it succeeds, also for a pod whose network namespace went first, and for one of the stock plugins'.
 *
 * @param path undefined where the namespace is no more
 */
export async function deletePod(
  host: PodHost,
  config: NetworkConfig,
  attachment: Attachment,
  path: string | undefined,
): Promise<void> {
  using cleanup = new DisposableStack();
  const namespace = openIfThere(path);
  if (namespace !== undefined) cleanup.adopt(namespace, (n) => n.close());
  const inside = namespace === undefined || namespace.isOwn ? undefined : openInside(namespace);
  if (inside !== undefined) cleanup.adopt(inside, (socket) => socket.close());
  disconnectPod(host.route, inside, config.name, attachment);
  forgetBandwidth(host.route, config.name, attachment);
  const store = new AddressStore(config.dataDir, config.name);
  await store.locked(host.clock, () => release(store, config, attachment));
}

/** A file that is left of a namespace that is no more is none. */
function openIfThere(path: string | undefined): NetworkNamespace | undefined {
  if (path === undefined) return undefined;
  try {
    const namespace = new NetworkNamespace(path);
    try {
      namespace.run(() => undefined);
      return namespace;
    } catch (error) {
      namespace.close();
      throw error;
    }
  } catch (error) {
    if (errorCode(error) === "NETNS_INVALID") return undefined;
    throw error;
  }
}
