import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { type Family, type Ip, ipFamily, type Prefix } from "../../src/base/ip.ts";
import { deleteConntrack, IPPROTO_UDP, listConntrack } from "../../src/linux/conntrack.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { KeptTable, removeTable } from "../../src/linux/nftables-table.ts";
import { writeSysctl } from "../../src/linux/sysctl.ts";
import type { SetElement } from "../../src/wire/nftables-element.ts";
import type { AddressStore } from "./address-store.ts";
import { formatHostPortBook, type HostPortBook, type MappedPod, parseHostPortBook } from "./host-port-book.ts";
import { hostPortTableName, planHostPortElements, planHostPortTable } from "./host-port-table.ts";
import type { PortMapping } from "./port-mapping.ts";
import { type Attachment, isHeldBy } from "./reservation.ts";

/** Beside host-local's files, which looks at those of addresses alone. */
const BOOK = ".selvedge-host-ports";
/** Some thousand pods with some ports each. */
const BOOK_BYTES_MAX = 4 * 1024 * 1024;

const FAMILIES: readonly Family[] = [4, 6];

export interface HostPortNetwork {
  readonly name: string;
  readonly bridge: string;
  /** Of its pods. */
  readonly subnets: readonly Prefix[];
}

/** The host ports of a network's pods: a book of them, and tables in the kernel that are made from it. */
export class HostPorts {
  readonly #store: AddressStore;
  readonly #network: HostPortNetwork;

  constructor(store: AddressStore, network: HostPortNetwork) {
    this.#store = store;
    this.#network = network;
  }

  /** Under the store's lock, here and below; to see whether there is anything in it, without. */
  book(): HostPortBook {
    return parseHostPortBook(this.#store.readText(BOOK, BOOK_BYTES_MAX) ?? "");
  }

  /** @throws SelvedgeError POD_PORTS_FAILED */
  add(pod: MappedPod): void {
    writeSysctl(`net/ipv4/conf/${this.#network.bridge}/route_localnet`, "1");
    this.#write([...this.#without((other) => isHeldBy(other, pod)), pod]);
    this.#endStale(pod, (entry) => !pod.addresses.includes(entry.reply.source));
  }

  /** Does nothing for a pod without host ports. */
  remove(attachment: Attachment): void {
    this.removeAll((pod) => isHeldBy(pod, attachment));
  }

  /** @returns whether there was any */
  removeAll(isGone: (pod: MappedPod) => boolean): boolean {
    const before = this.book();
    const gone = before.filter(isGone);
    if (gone.length === 0) return false;
    this.#write(before.filter((pod) => !isGone(pod)));
    for (const pod of gone) this.#endStale(pod, (entry) => pod.addresses.includes(entry.reply.source));
    return true;
  }

  /** @returns those host ports of a pod that the kernel does not lead to it */
  missing(attachment: Attachment, mappings: readonly PortMapping[]): readonly number[] {
    if (mappings.length === 0) return [];
    const pod = this.book().find((other) => isHeldBy(other, attachment));
    if (pod === undefined) return mappings.map(({ hostPort }) => hostPort);
    const nft = new Nftables();
    try {
      const missing = FAMILIES.flatMap((family) => this.#missingOf(nft, family, { ...pod, mappings }));
      return [...new Set(missing)];
    } finally {
      nft.close();
    }
  }

  #missingOf(nft: Nftables, family: Family, pod: MappedPod): readonly number[] {
    const { name, sets } = planHostPortTable(this.#network.name, family);
    const isThere = nft.tables().some((table) => table.family === family && table.name === name);
    const there = new Set(
      isThere ? sets.flatMap((set) => nft.elements(family, name, set).map((e) => elementText(set.name, e))) : [],
    );
    return pod.mappings.flatMap((mapping) => {
      const wanted = planHostPortElements(family, [{ ...pod, mappings: [mapping] }], []);
      const elements = [...wanted].filter(([set]) => set !== "clients");
      const all = elements.flatMap(([set, list]) => list.map((element) => elementText(set, element)));
      return all.every((text) => there.has(text)) ? [] : [mapping.hostPort];
    });
  }

  /**
   * Puts back what another program took away, and takes the ports of pods whose addresses another plugin has freed: the
   * stock one's DEL knows nothing of ours.
   *
   * @returns whether anything was to be done
   */
  repair(): boolean {
    const owners = [...this.#store.reservations().values()].filter((owner) => owner !== undefined);
    const removed = this.removeAll((pod) => !owners.some((owner) => isHeldBy(owner, pod)));
    const book = this.book();
    return (book.length > 0 && this.#apply(book)) || removed;
  }

  #without(isGone: (pod: MappedPod) => boolean): HostPortBook {
    return this.book().filter((pod) => !isGone(pod));
  }

  /** The book first: what is in it and not in the kernel comes with the next change. */
  #write(book: HostPortBook): void {
    this.#store.writeText(BOOK, formatHostPortBook(book));
    this.#apply(book);
  }

  /** @returns whether a table was changed */
  #apply(book: HostPortBook): boolean {
    const { name, subnets } = this.#network;
    try {
      const nft = new Nftables();
      try {
        const changes = FAMILIES.map((family) => {
          const used = book.some((pod) => pod.addresses.some((address) => ipFamily(address) === family));
          if (!used) return removeTable(nft, family, hostPortTableName(name), false);
          return new KeptTable(nft).keep(planHostPortTable(name, family), planHostPortElements(family, book, subnets));
        });
        return changes.includes(true);
      } finally {
        nft.close();
      }
    } catch (error) {
      throw failed(error);
    }
  }

  /** The kernel goes on with a UDP client's connection as it began: past the pod, or to one that is gone. */
  #endStale(pod: MappedPod, isStale: (entry: ReturnType<typeof listConntrack>[number]) => boolean): void {
    const ports = new Set(pod.mappings.filter((m) => m.protocol === "udp").map((m) => m.hostPort));
    if (ports.size === 0) return;
    const netfilter = new NetlinkSocket(NETLINK_NETFILTER);
    try {
      for (const family of new Set(pod.addresses.map((address: Ip) => ipFamily(address)))) {
        const entries = listConntrack(netfilter, family, IPPROTO_UDP);
        const stale = entries.filter((entry) => ports.has(entry.original.destinationPort) && isStale(entry));
        if (stale.length > 0) deleteConntrack(netfilter, stale);
      }
    } catch (error) {
      // Without nf_conntrack_netlink clients are where they were until their connections end by themselves.
      if (!["EOPNOTSUPP", "EPROTONOSUPPORT", "EINVAL"].includes(errorCode(error))) throw failed(error);
    } finally {
      netfilter.close();
    }
  }
}

function elementText(set: string, { key, data }: SetElement): string {
  return [set, ...key, ":", ...(data ?? [])].join(" ");
}

function failed(cause: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot map the pod's host ports: ${errorCode(cause)}`, {
    code: "POD_PORTS_FAILED",
    blame: "host",
    retry: "later",
    hint: "Load or build what the kernel lacks: nf_tables, nft_nat, nft_masq, nft_fib_ipv4, nft_fib_ipv6.",
    cause,
  });
}
