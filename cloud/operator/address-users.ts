import type { Ip } from "../../src/base/ip.ts";
import type { Problem } from "./problem.ts";

/**
 * Which nodes have an address. Sites behind routers tend to have the same private ones, and of nodes with one address
 * everybody reaches only one by it. Their pods are reached all the same.
 */
export class AddressUsers {
  readonly #users = new Map<Ip, Set<string>>();
  readonly #addresses = new Map<string, readonly Ip[]>();
  #touched = new Set<string>();

  set(node: string, addresses: readonly Ip[]): void {
    for (const address of this.#addresses.get(node) ?? []) this.#leave(node, address);
    if (addresses.length === 0) this.#addresses.delete(node);
    else this.#addresses.set(node, addresses);
    for (const address of addresses) this.#join(node, address);
  }

  /** @returns the nodes whose problems may be others since the last time */
  settle(): ReadonlySet<string> {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  problemsOf(node: string): readonly Problem[] {
    const shared = (this.#addresses.get(node) ?? []).find((address) => (this.#users.get(address)?.size ?? 0) > 1);
    if (shared === undefined) return [];
    // Without the others' names: of a thousand sites with the same addresses, each would have to be told of each.
    const problem: Problem = {
      code: "NODE_ADDRESS_SHARED",
      severity: "info",
      message: `Cannot tell node ${node} by its address ${shared} as other nodes have the same`,
      hint: "Nothing for pods. Give the node another address where programs on its own network are to be reached.",
    };
    return [problem];
  }

  #join(node: string, address: Ip): void {
    const users = this.#users.get(address);
    if (users === undefined) {
      this.#users.set(address, new Set([node]));
      return;
    }
    if (users.size === 1) this.#touch(users);
    this.#touched.add(node);
    users.add(node);
  }

  #leave(node: string, address: Ip): void {
    const users = this.#users.get(address);
    users?.delete(node);
    if (users?.size === 0) this.#users.delete(address);
    else if (users?.size === 1) this.#touch(users);
  }

  #touch(users: ReadonlySet<string>): void {
    for (const user of users) this.#touched.add(user);
  }
}
