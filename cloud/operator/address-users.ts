import type { Ip } from "../../src/base/ip.ts";
import type { Problem } from "./problem.ts";

/** Nodes with one address: whose it is taken for, and the others. */
interface Sharers {
  owner: string;
  /** The first of the others. */
  next: string;
  readonly others: Set<string>;
}

/**
 * Which nodes have an address. Sites behind routers tend to have the same private ones, and of nodes with one address
 * everybody reaches only one by it: a node of the cloud, or else the one whose name sorts first. Pods of all are reached.
 */
export class AddressUsers {
  /** Most addresses have one user, who then stands there alone: ten thousand sets take megabytes. */
  readonly #users = new Map<Ip, string | Sharers>();
  readonly #addresses = new Map<string, readonly Ip[]>();
  readonly #cloud = new Set<string>();
  #touched = new Set<string>();

  /** @param isCloud a node whose pods are behind the connector */
  set(node: string, addresses: readonly Ip[], isCloud = false): void {
    // As with each sign of life of a node.
    if (String(this.#addresses.get(node) ?? []) === String(addresses) && this.#cloud.has(node) === isCloud) return;
    for (const address of this.#addresses.get(node) ?? []) this.#leave(node, address);
    if (addresses.length === 0) this.#addresses.delete(node);
    else this.#addresses.set(node, addresses);
    if (isCloud) this.#cloud.add(node);
    else this.#cloud.delete(node);
    for (const address of addresses) this.#join(node, address);
  }

  /** @returns the nodes whose addresses or problems may be others since the last time */
  settle(): ReadonlySet<string> {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  /** Nodes whose address is another one's. */
  sharers(): readonly string[] {
    return [...this.#users.values()].flatMap((users) => (typeof users === "object" ? [...users.others] : []));
  }

  /** Of its addresses those that are taken for its own. */
  ownedBy(node: string): readonly Ip[] {
    const addresses = this.#addresses.get(node) ?? [];
    return addresses.every((address) => this.#isOwner(node, address))
      ? addresses
      : addresses.filter((address) => this.#isOwner(node, address));
  }

  problemsOf(node: string): readonly Problem[] {
    for (const address of this.#addresses.get(node) ?? []) {
      const users = this.#users.get(address);
      if (typeof users !== "object") continue;
      // One of the others: of a thousand sites with the same addresses, each would have to be told of each.
      const other = users.owner === node ? users.next : users.owner;
      const problem: Problem = {
        code: "NODE_ADDRESS_SHARED",
        severity: "info",
        message: `Cannot tell node ${node} by its address ${address} as node ${other} has the same: it is taken for ${users.owner}'s`,
        hint: "Nothing for pods. Give the node another address where programs on its own network are to be reached.",
      };
      return [problem];
    }
    return [];
  }

  #isOwner(node: string, address: Ip): boolean {
    const users = this.#users.get(address);
    return users === node || (typeof users === "object" && users.owner === node);
  }

  #join(node: string, address: Ip): void {
    const users = this.#users.get(address);
    if (users === undefined || users === node) {
      this.#users.set(address, node);
    } else if (typeof users === "string") {
      const [owner, next] = this.#goesBefore(node, users) ? [node, users] : [users, node];
      this.#users.set(address, { owner, next, others: new Set([next]) });
      this.#touch(owner, next);
    } else if (this.#goesBefore(node, users.owner)) {
      users.next = users.owner;
      users.others.add(users.owner);
      users.owner = node;
      this.#touch(node, ...users.others);
    } else {
      users.others.add(node);
      this.#touch(node);
      if (!this.#goesBefore(node, users.next)) return;
      users.next = node;
      this.#touch(users.owner);
    }
  }

  #leave(node: string, address: Ip): void {
    const users = this.#users.get(address);
    if (users === node) this.#users.delete(address);
    if (typeof users !== "object") return;
    if (users.owner === node) {
      users.owner = users.next;
      this.#touch(...users.others);
    } else if (users.next === node) {
      this.#touch(users.owner);
    }
    users.others.delete(node);
    users.others.delete(users.owner);
    if (users.others.size === 0) this.#users.set(address, users.owner);
    else if (!users.others.has(users.next)) {
      users.next = [...users.others].reduce((a, b) => (this.#goesBefore(a, b) ? a : b));
    }
  }

  #goesBefore(a: string, b: string): boolean {
    const [isCloudA, isCloudB] = [this.#cloud.has(a), this.#cloud.has(b)];
    return isCloudA === isCloudB ? a < b : isCloudA;
  }

  #touch(...nodes: readonly string[]): void {
    for (const node of nodes) this.#touched.add(node);
  }
}
