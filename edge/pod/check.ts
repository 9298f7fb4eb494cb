import { SelvedgeError } from "../../src/base/errors.ts";
import { listAddresses } from "../../src/linux/addresses.ts";
import { NetworkNamespace } from "../../src/linux/network-namespace.ts";
import { findPodLink, listPodLinks } from "../../src/linux/pod-links.ts";
import { listQdiscs } from "../../src/linux/qdiscs.ts";
import { listRoutes } from "../../src/linux/routes.ts";
import { AddressStore } from "./address-store.ts";
import { type ObservedPod, planCheck } from "./check-plan.ts";
import { ifbName } from "./ifb-name.ts";
import type { NetworkConfig } from "./network-config.ts";
import { hostPortsOf, type PodHost } from "./pod-host.ts";
import { openInside } from "./pod-interface.ts";
import type { Attachment } from "./reservation.ts";

const MAIN_TABLE = 254;

/**
 * Looks whether a pod's interface is still as ADD answered.
 *
 * @throws SelvedgeError POD_CHECK_FAILED with all that differs
 */
export async function checkPod(
  host: PodHost,
  config: NetworkConfig,
  attachment: Attachment,
  path: string,
): Promise<void> {
  if (config.previous === undefined) throw withoutPrevious();
  const differences = planCheck(config, attachment, config.previous, await observe(host, config, attachment, path));
  if (differences.length === 0) return;
  throw new SelvedgeError(`Cannot find the pod's interface as ADD left it: ${differences.join("; ")}`, {
    code: "POD_CHECK_FAILED",
    blame: "host",
    retry: "never",
    hint: "Another program changed it: restart the pod, and its interface is made anew.",
  });
}

async function observe(
  { route, clock }: PodHost,
  config: NetworkConfig,
  attachment: Attachment,
  path: string,
): Promise<ObservedPod> {
  using cleanup = new DisposableStack();
  const namespace = cleanup.adopt(new NetworkNamespace(path), (n) => n.close());
  const inside = cleanup.adopt(openInside(namespace), (socket) => socket.close());
  const pod = findPodLink(inside, attachment.ifName);
  const links = listPodLinks(route);
  const bridge = links.find((link) => link.name === config.bridge);
  const store = new AddressStore(config.dataDir, config.name);
  const { reserved, missingPorts } = await store.locked(clock, () => ({
    reserved: store.heldBy(attachment),
    missingPorts: hostPortsOf(store, config).missing(attachment, config.portMappings),
  }));
  const addresses = [...listAddresses(route, 4), ...listAddresses(route, 6)];
  const own = [...listAddresses(inside, 4), ...listAddresses(inside, 6)];
  return {
    reserved,
    bridge,
    bridgeAddresses: addresses.filter((address) => address.linkIndex === bridge?.index),
    host: links.find((link) => link.kind === "veth" && link.index === pod?.peerIndex),
    ifb: links.find((link) => link.name === ifbName(config.name, attachment.containerId)),
    qdiscs: config.bandwidth === undefined ? [] : listQdiscs(route),
    pod,
    podAddresses: own.filter((address) => address.linkIndex === pod?.index),
    podRoutes: [
      ...listRoutes(inside, { family: 4, table: MAIN_TABLE }),
      ...listRoutes(inside, { family: 6, table: MAIN_TABLE }),
    ],
    missingPorts,
  };
}

function withoutPrevious(): SelvedgeError {
  return new SelvedgeError("Cannot check a pod without ADD's answer: there is no prevResult", {
    code: "CNI_CONFIG",
    blame: "peer",
    retry: "never",
    hint: "A container runtime passes it on; by hand, cnitool does.",
  });
}
