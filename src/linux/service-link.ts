import { errorCode, SelvedgeError } from "../base/errors.ts";
import { type Ip, ipFamily } from "../base/ip.ts";
import type { LinkAddress } from "../wire/rtnetlink-address.ts";
import type { Link, VirtualLinkKind } from "../wire/rtnetlink-link.ts";
import { addAddress, deleteAddress, listAddresses } from "./addresses.ts";
import { createLink, deleteLink, listLinks, setLinkUp } from "./links.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";
import { type ObservedLinks, planServiceLink, type ServiceLinkPlan } from "./service-link-plan.ts";

/** A dummy is made for this; a bridge without ports does the same where the kernel has no dummy. */
const KINDS: readonly VirtualLinkKind[] = ["dummy", "bridge"];

export interface ServiceLinkState {
  /** The link that has the addresses: the one asked for, or "lo". */
  readonly link: string;
  readonly kind: VirtualLinkKind | "loopback";
  /** Changes that were made: 0 when all was as it should be. */
  readonly writes: number;
}

/** Holds the addresses that this node answers on in place of the cluster: names', services'. */
export class ServiceLink {
  readonly #route: NetlinkSocket;
  readonly #name: string;
  #kinds: readonly VirtualLinkKind[];
  #wanted = new Map<string, ReadonlySet<Ip>>();
  #ownOnLoopback: ReadonlySet<Ip> = new Set();

  /**
   * @param route a NETLINK_ROUTE socket
   * @param kinds what to try, in order; then the addresses go to `lo`
   */
  constructor(route: NetlinkSocket, name: string, kinds = KINDS) {
    this.#route = route;
    this.#name = name;
    this.#kinds = kinds;
  }

  /**
   * Gives the link the addresses that all owners want, and takes away every other.
   *
   * @param owner who speaks, such as "dns": its addresses replace those it wanted before
   * @throws SelvedgeError SERVICE_LINK_FOREIGN when another program's link has the name; or an errno's name
   */
  apply(owner: string, addresses: ReadonlySet<Ip>): ServiceLinkState {
    this.#wanted.set(owner, addresses);
    return this.repair();
  }

  /** The same again: puts right what another program has changed. */
  repair(): ServiceLinkState {
    let writes = 0;
    for (;;) {
      const plan = this.#plan(this.#observe(), this.#kinds);
      if (plan.foreign !== undefined) throw foreignLink(plan.foreign);
      if (plan.create === undefined) return this.#applyAddresses(plan, writes);
      if (this.#create(plan.create)) writes += 1;
    }
  }

  /**
   * For `selvedge cleanup`.
   *
   * @param dryRun only look
   * @returns what was removed, or would be, for a person
   */
  remove(dryRun: boolean): readonly string[] {
    this.#wanted.clear();
    const plan = this.#plan(this.#observe(), []);
    // Another program's link is none of ours.
    if (plan.holder === undefined) return [];
    if (!plan.holder.loopback) {
      if (!dryRun) deleteLink(this.#route, plan.holder);
      return [`link ${plan.holder.name}`];
    }
    if (!dryRun) this.#applyAddresses(plan, 0);
    return plan.remove.map((a) => `address ${a.address} on lo`);
  }

  #observe(): ObservedLinks {
    const addresses = [...listAddresses(this.#route, 4), ...listAddresses(this.#route, 6)];
    return { links: listLinks(this.#route), addresses };
  }

  #plan(observed: ObservedLinks, kinds: readonly VirtualLinkKind[]): ServiceLinkPlan {
    const addresses = new Set([...this.#wanted.values()].flatMap((set) => [...set]));
    return planServiceLink(observed, {
      name: this.#name,
      addresses,
      kinds,
      ownOnLoopback: this.#ownOnLoopback,
    });
  }

  /** @returns false when the kernel has no links of the kind, which is then not tried again */
  #create(kind: VirtualLinkKind): boolean {
    try {
      createLink(this.#route, this.#name, kind);
      return true;
    } catch (error) {
      if (errorCode(error) !== "EOPNOTSUPP") throw error;
      this.#kinds = this.#kinds.filter((other) => other !== kind);
      return false;
    }
  }

  #applyAddresses(plan: ServiceLinkPlan, writesBefore: number): ServiceLinkState {
    const { holder } = plan;
    if (holder === undefined) throw new RangeError("Cannot hold service addresses as there is no loopback link");
    const failures: unknown[] = [];
    // One address that the kernel refuses (IPv6 switched off, say) keeps no other one away.
    const attempt = (change: () => void) => {
      try {
        change();
      } catch (error) {
        failures.push(error);
      }
    };
    if (plan.setUp) setLinkUp(this.#route, holder);
    for (const address of plan.remove) attempt(() => deleteAddress(this.#route, address));
    for (const address of plan.add) attempt(() => this.#add(holder, address));
    if (failures.length > 0) throw failures[0];
    return {
      link: holder.name,
      kind: holder.loopback ? "loopback" : holder.kind === "dummy" ? "dummy" : "bridge",
      writes: writesBefore + Number(plan.setUp) + plan.remove.length + plan.add.length,
    };
  }

  #add(holder: Link, address: LinkAddress): void {
    addAddress(this.#route, address);
    if (holder.loopback && ipFamily(address.address) === 6) {
      this.#ownOnLoopback = new Set([...this.#ownOnLoopback, address.address]);
    }
  }
}

function foreignLink({ name, kind }: Link): SelvedgeError {
  return new SelvedgeError(`Cannot use link "${name}" as another program does: its kind is ${kind ?? "hardware"}`, {
    code: "SERVICE_LINK_FOREIGN",
    blame: "user",
    retry: "later",
    hint: "Name another link with --dummy-interface-name, or remove this one.",
  });
}
