import type { Ip } from "../../src/base/ip.ts";
import type { Problem } from "./problem.ts";

/**
 * Which nodes have an address. Sites behind routers tend to have the same private ones, and of nodes with one address
 * everybody reaches only one by it. Their pods are reached all the same.
 */
export class AddressUsers {
  /** Most addresses have one user, who then stands there alone: ten thousand sets take megabytes. */
  readonly #users = new Map<Ip, string | Set<string>>();
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
    const shared = (this.#addresses.get(node) ?? []).find((address) => typeof this.#users.get(address) === "object");
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
    if (users === undefined || users === node) {
      this.#users.set(address, node);
    } else if (typeof users === "string") {
      this.#users.set(address, new Set([users, node]));
      this.#touched.add(users).add(node);
    } else {
      users.add(node);
      this.#touched.add(node);
    }
  }

  #leave(node: string, address: Ip): void {
    const users = this.#users.get(address);
    if (users === node) this.#users.delete(address);
    if (typeof users !== "object" || !users.delete(node)) return;
    const [only] = users;
    if (only === undefined || users.size > 1) return;
    this.#users.set(address, only);
    this.#touched.add(only);
  }
}
