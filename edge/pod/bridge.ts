import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { formatPrefix, ipFamily } from "../../src/base/ip.ts";
import { addAddress, deleteAddress, listAddresses } from "../../src/linux/addresses.ts";
import type { NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { changeLink, createBridge, findPodLink } from "../../src/linux/pod-links.ts";
import { writeSysctl } from "../../src/linux/sysctl.ts";
import type { PodLink } from "../../src/wire/rtnetlink-pod-link.ts";
import { broadcastOf } from "./address-number.ts";
import { type BridgePlan, planBridge, type WantedBridge } from "./bridge-plan.ts";

/** Two programs may make the bridge, or give it an address, at the same moment: the second look finds it done. */
const ATTEMPTS = 5;

/**
 * Makes the bridge be as wanted; both the agent, at its start, and the plugin do.
 *
 * @param route a NETLINK_ROUTE socket of this node's own network namespace
 * @returns the bridge, and how many changes were made
 * @throws SelvedgeError POD_BRIDGE_FOREIGN, POD_BRIDGE_ADDRESS; or an errno's name
 */
export function ensureBridge(
  route: NetlinkSocket,
  wanted: WantedBridge,
): { readonly bridge: PodLink; readonly writes: number } {
  let writes = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      const plan = observedPlan(route, wanted);
      if (plan.kind === "create") {
        createBridge(route, { ...wanted, hardwareAddress: plan.hardwareAddress });
        writes += 1;
        continue;
      }
      const change = checked(plan, wanted);
      // Its routes are ours: a pod that sends router advertisements gives this node none.
      setIfAllowed(`net/ipv6/conf/${wanted.name}/accept_ra`, "0");
      applyChange(route, change);
      writes += Number(change.setUp) + Number(change.mtu !== undefined) + change.remove.length + change.add.length;
      return { bridge: { ...change.link, up: true, mtu: change.mtu ?? change.link.mtu }, writes };
    } catch (error) {
      if (attempt >= ATTEMPTS || !["EEXIST", "EADDRNOTAVAIL", "ENODEV"].includes(errorCode(error))) throw error;
    }
  }
}

function observedPlan(route: NetlinkSocket, wanted: WantedBridge): BridgePlan {
  const link = findPodLink(route, wanted.name);
  const addresses = link === undefined ? [] : [...listAddresses(route, 4), ...listAddresses(route, 6)];
  return planBridge(
    link,
    addresses.filter((address) => address.linkIndex === link?.index),
    wanted,
  );
}

type Change = BridgePlan & { readonly kind: "change" };

function checked(plan: Exclude<BridgePlan, { readonly kind: "create" }>, { name }: WantedBridge): Change {
  if (plan.kind === "change") return plan;
  if (plan.kind === "taken") {
    const { address, prefixLength } = plan.by;
    throw new SelvedgeError(
      `Cannot give bridge "${name}" the address ${plan.gateway.address} as it has another one: current value is ` +
        formatPrefix({ address, length: prefixLength }),
      {
        code: "POD_BRIDGE_ADDRESS",
        blame: "user",
        retry: "later",
        hint: "Remove the address, or set forceAddress in the network configuration.",
      },
    );
  }
  const kind = plan.link.kind ?? "hardware";
  throw new SelvedgeError(`Cannot use link "${name}" as a bridge for pods: its kind is ${kind}`, {
    code: "POD_BRIDGE_FOREIGN",
    blame: "user",
    retry: "later",
    hint: "Name another bridge with --cni-bridge-name, or remove this link.",
  });
}

function applyChange(route: NetlinkSocket, { link, setUp, mtu, remove, add }: Change): void {
  if (setUp || mtu !== undefined) {
    changeLink(route, link, { ...(setUp ? { up: true } : {}), ...(mtu === undefined ? {} : { mtu }) });
  }
  for (const address of remove) deleteAddress(route, address);
  if (add.some(({ address }) => ipFamily(address) === 6)) {
    setIfAllowed(`net/ipv6/conf/${link.name}/disable_ipv6`, "0");
  }
  for (const address of add) {
    addAddress(route, { ...address, broadcast: broadcastOf(address.address, address.prefixLength) });
  }
  // One that nobody gave it changes with every port that comes, and pods have learned it.
  if (add.length > 0) changeLink(route, link, { hardwareAddress: link.hardwareAddress });
}

/** The agent's unit keeps it from the kernel's settings; the plugin, which nothing keeps, comes with the next pod. */
function setIfAllowed(name: string, value: string): void {
  try {
    writeSysctl(name, value);
  } catch {}
}
