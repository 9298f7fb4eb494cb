import { formatPeer } from "../../src/network/node-config-text.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";

/**
 * Endpoints by name: this cluster's, and those that others have registered. Of each there is its text, made once for all
 * documents in which it is a peer.
 */
export class EndpointBook {
  readonly #local = new Map<string, string>();
  /** By name, then by cluster: nothing keeps two clusters from claiming one name. */
  readonly #remote = new Map<string, Map<string, string>>();

  /** @returns whether it is another one now */
  setLocal(name: string, endpoint: TunnelEndpoint | undefined): boolean {
    const before = this.#find(name);
    if (endpoint === undefined) this.#local.delete(name);
    else this.#local.set(name, formatPeer(endpoint));
    return before !== this.#find(name);
  }

  /** @returns whether it is another one now */
  setRemote(cluster: string, name: string, endpoint: TunnelEndpoint | undefined): boolean {
    const before = this.#find(name);
    const entries = this.#remote.get(name) ?? new Map<string, string>();
    if (endpoint === undefined) entries.delete(cluster);
    else entries.set(cluster, formatPeer(endpoint));
    if (entries.size === 0) this.#remote.delete(name);
    else this.#remote.set(name, entries);
    return before !== this.#find(name);
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** As an item of `peers` in tunnels.yaml; undefined for an endpoint that does not exist. */
  peerText(name: string): string | undefined {
    return this.#find(name);
  }

  /** What is here goes before what others say, and of others the first by name. */
  #find(name: string): string | undefined {
    const local = this.#local.get(name);
    if (local !== undefined) return local;
    const entries = this.#remote.get(name);
    if (entries === undefined) return undefined;
    const [first = ""] = [...entries.keys()].sort();
    return entries.get(first);
  }
}
