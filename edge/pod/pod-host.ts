import type { Clock } from "../../src/base/clock.ts";
import type { NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import type { AddressStore } from "./address-store.ts";
import { HostPorts } from "./host-ports.ts";
import type { NetworkConfig } from "./network-config.ts";
import type { Attachment } from "./reservation.ts";

/** What a command of the plugin works with. */
export interface PodHost {
  /** A NETLINK_ROUTE socket of this node's own network namespace. */
  readonly route: NetlinkSocket;
  readonly clock: Clock;
}

/** Under the lock. The addresses last: from then on they may be another pod's. */
export function release(store: AddressStore, config: NetworkConfig, attachment: Attachment): void {
  hostPortsOf(store, config).remove(attachment);
  for (const address of store.heldBy(attachment)) store.free(address);
}

export function hostPortsOf(store: AddressStore, { name, bridge, ranges }: NetworkConfig): HostPorts {
  return new HostPorts(store, { name, bridge, subnets: ranges.flat().map((range) => range.subnet) });
}
