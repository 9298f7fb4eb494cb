import { formatPeer } from "../../src/network/node-config-text.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";

/** An endpoint, and its text, made once for all documents in which it is a peer. */
interface Entry {
  readonly endpoint: TunnelEndpoint;
  readonly text: string;
  /** Made when it is first asked for. */
  routeText: string | undefined;
}

/** Endpoints by name: this cluster's, and those that others have registered. */
export class EndpointBook {
  readonly #local = new Map<string, Entry>();
  /** By name, then by cluster: nothing keeps two clusters from claiming one name. */
  readonly #remote = new Map<string, Map<string, Entry>>();

  /** @returns whether it is another one now */
  setLocal(name: string, endpoint: TunnelEndpoint | undefined): boolean {
    const before = this.#find(name)?.text;
    if (endpoint === undefined) this.#local.delete(name);
    else this.#local.set(name, makeEntry(endpoint));
    return before !== this.#find(name)?.text;
  }

  /** @returns whether it is another one now */
  setRemote(cluster: string, name: string, endpoint: TunnelEndpoint | undefined): boolean {
    const before = this.#find(name)?.text;
    const entries = this.#remote.get(name) ?? new Map<string, Entry>();
    if (endpoint === undefined) entries.delete(cluster);
    else entries.set(cluster, makeEntry(endpoint));
    if (entries.size === 0) this.#remote.delete(name);
    else this.#remote.set(name, entries);
    return before !== this.#find(name)?.text;
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** As an item of `peers` in tunnels.yaml; undefined for an endpoint that does not exist. */
  peerText(name: string): string | undefined {
    return this.#find(name)?.text;
  }

  /** The same, with what is behind it and nothing else. */
  routeText(name: string): string | undefined {
    const entry = this.#find(name);
    if (entry !== undefined) entry.routeText ??= formatRoute(entry.endpoint);
    return entry?.routeText;
  }

  /** What is here goes before what others say, and of others the first by name. */
  #find(name: string): Entry | undefined {
    const local = this.#local.get(name);
    if (local !== undefined) return local;
    const entries = this.#remote.get(name);
    if (entries === undefined) return undefined;
    const [first = ""] = [...entries.keys()].sort();
    return entries.get(first);
  }
}

function makeEntry(endpoint: TunnelEndpoint): Entry {
  return { endpoint, text: formatPeer(endpoint), routeText: undefined };
}

function formatRoute({ name, subnets }: TunnelEndpoint): string {
  return formatPeer({ id: "", name, publicAddresses: [], port: undefined, subnets, nodeSubnets: [], type: undefined });
}
