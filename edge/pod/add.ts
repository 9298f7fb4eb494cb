import { SelvedgeError } from "../../src/base/errors.ts";
import { formatPrefix, type Ip, ipFamily, type Prefix, parsePrefix } from "../../src/base/ip.ts";
import type { NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { NetworkNamespace } from "../../src/linux/network-namespace.ts";
import { type AddressRange, planAddress, type RangeSet } from "./address-plan.ts";
import { AddressStore } from "./address-store.ts";
import { forgetBandwidth, limitBandwidth } from "./bandwidth.ts";
import { ensureBridge } from "./bridge.ts";
import type { CniAddress, CniResult, CniRoute } from "./cni-result.ts";
import { enableForwarding } from "./forwarding.ts";
import { formatHardwareAddress } from "./hardware-address.ts";
import type { NetworkConfig } from "./network-config.ts";
import { hostPortsOf, type PodHost, release } from "./pod-host.ts";
import { connectPod, disconnectPod, openInside, refuseTakenName, waitForPort } from "./pod-interface.ts";
import type { Attachment } from "./reservation.ts";

/** The interfaces of an answer: the bridge, the node's end, the pod's end, in the stock plugin's order. */
const POD_END = 2;

/**
 * Gives a pod an interface. When it fails, nothing of it stays.
 *
 * @param path of the pod's network namespace
 */
export async function addPod(
  host: PodHost,
  config: NetworkConfig,
  attachment: Attachment,
  path: string,
): Promise<CniResult> {
  if (config.previous !== undefined) throw notFirst();
  using cleanup = new DisposableStack();
  const namespace = cleanup.adopt(new NetworkNamespace(path), (n) => n.close());
  if (namespace.isOwn) throw ownNamespace(path);
  const inside = cleanup.adopt(openInside(namespace), (socket) => socket.close());
  refuseTakenName(inside, attachment);
  const store = new AddressStore(config.dataDir, config.name);
  try {
    const addresses = await store.locked(host.clock, () => reserve(store, config, attachment));
    return await connect(host, config, attachment, { store, namespace, inside, path, addresses });
  } catch (error) {
    await undo(host, config, attachment, store, inside);
    throw error;
  }
}

/** What cannot be undone hides no reason: a runtime says DEL after an ADD that failed. */
async function undo(
  { route, clock }: PodHost,
  config: NetworkConfig,
  attachment: Attachment,
  store: AddressStore,
  inside: NetlinkSocket,
): Promise<void> {
  try {
    disconnectPod(route, inside, config.name, attachment);
    forgetBandwidth(route, config.name, attachment);
    await store.locked(clock, () => release(store, config, attachment));
  } catch {}
}

/** Under the lock. @throws SelvedgeError POD_ADDRESSES_EXHAUSTED */
function reserve(store: AddressStore, config: NetworkConfig, attachment: Attachment): readonly CniAddress[] {
  return config.ranges.map((ranges, set) => {
    const previous = store.previous(set);
    const planned =
      planAddress(ranges, store.addresses(), previous) ?? planAddress(ranges, withoutDead(store), previous);
    if (planned === undefined) throw exhausted(config.name, ranges);
    store.reserve(planned.address, set, attachment);
    return addressOf(planned.address, planned.range);
  });
}

/** Under the lock nobody is about to write one: a reservation without an owner is nobody's. */
function withoutDead(store: AddressStore): ReadonlySet<Ip> {
  const all = [...store.reservations()];
  return new Set(all.filter(([, owner]) => owner !== undefined).map(([address]) => address));
}

interface Place {
  readonly store: AddressStore;
  readonly namespace: NetworkNamespace;
  readonly inside: NetlinkSocket;
  readonly path: string;
  readonly addresses: readonly CniAddress[];
}

async function connect(
  { route, clock }: PodHost,
  config: NetworkConfig,
  attachment: Attachment,
  { store, namespace, inside, path, addresses }: Place,
): Promise<CniResult> {
  const gateways = config.isGateway ? addresses.map(gatewayOf) : [];
  const { name, mtu, hairpin } = config;
  const { bridge } = ensureBridge(route, { name: config.bridge, mtu, gateways, force: config.forceAddress });
  if (config.isGateway) enableForwarding(new Set(addresses.map(({ address }) => ipFamily(address))));
  const routes = planRoutes(config, addresses);
  const spec = { network: name, attachment, bridge, mtu, hairpin, addresses, routes: withGateways(routes, addresses) };
  const made = connectPod(route, inside, namespace, spec);
  const ifb =
    config.bandwidth === undefined ? undefined : limitBandwidth(route, made.host, name, attachment, config.bandwidth);
  await waitForPort(route, made.host, clock);
  const { portMappings: mappings } = config;
  if (mappings.length > 0) {
    const mapped = { ...attachment, addresses: addresses.map(({ address }) => address), mappings };
    await store.locked(clock, () => hostPortsOf(store, config).add(mapped));
  }
  const link = ({ name, hardwareAddress }: typeof bridge, sandbox?: string) => ({
    name,
    mac: formatHardwareAddress(hardwareAddress),
    sandbox,
  });
  return {
    interfaces: [link(bridge), link(made.host), link(made.pod, path), ...(ifb === undefined ? [] : [link(ifb)])],
    addresses,
    routes,
    dns: config.dns,
  };
}

function addressOf(address: Ip, { subnet, gateway }: AddressRange): CniAddress {
  return { interface: POD_END, address, prefixLength: subnet.length, gateway };
}

function gatewayOf({ gateway, address, prefixLength }: CniAddress) {
  return { address: gateway ?? address, prefixLength };
}

const EVERYWHERE: readonly Prefix[] = ["0.0.0.0/0", "::/0"].map((text) => {
  const prefix = parsePrefix(text);
  if (!prefix.ok) throw new RangeError(prefix.error.why);
  return prefix.value;
});

/** Those of the configuration, and a default route a family unless one is among them. */
function planRoutes(config: NetworkConfig, addresses: readonly CniAddress[]): readonly CniRoute[] {
  const routes: CniRoute[] = [...config.routes];
  for (const { address, gateway } of config.isDefaultGateway ? addresses : []) {
    const everywhere = EVERYWHERE.find((prefix) => ipFamily(prefix.address) === ipFamily(address));
    if (everywhere === undefined) continue;
    const text = formatPrefix(everywhere);
    if (routes.some((route) => route.gateway !== undefined && formatPrefix(route.destination) === text)) continue;
    routes.push({ destination: everywhere, gateway });
  }
  return routes;
}

function withGateways(routes: readonly CniRoute[], addresses: readonly CniAddress[]): readonly CniRoute[] {
  return routes.map((route) => {
    const family = ipFamily(route.destination.address);
    const own = addresses.find(({ address }) => ipFamily(address) === family)?.gateway;
    return { ...route, gateway: route.gateway ?? own };
  });
}

function exhausted(network: string, ranges: RangeSet): SelvedgeError {
  const text = ranges.map(({ first, last }) => `${first} to ${last}`).join(", ");
  return new SelvedgeError(`Cannot give the pod an address as network "${network}" has none left: ${text}`, {
    code: "POD_ADDRESSES_EXHAUSTED",
    blame: "user",
    retry: "later",
    hint: "Remove pods from this node, or give it a larger pod subnet.",
  });
}

function notFirst(): SelvedgeError {
  return new SelvedgeError("Cannot add an interface as another plugin came first: there is a prevResult", {
    code: "CNI_CONFIG",
    blame: "user",
    retry: "never",
    hint: "Name this plugin as the first one of the list.",
  });
}

function ownNamespace(path: string): SelvedgeError {
  return new SelvedgeError(`Cannot connect "${path}" as it is this node's own network namespace`, {
    code: "NETNS_INVALID",
    blame: "peer",
    retry: "never",
  });
}
