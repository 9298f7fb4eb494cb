import { formatPrefix, ipFamily, type Prefix, prefixCovers } from "../../src/base/ip.ts";
import type { Cluster } from "../../src/network/cluster.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { type Conflict, PrefixClaims } from "./prefix-claims.ts";
import type { Problem } from "./problem.ts";
import type { OperatorSettings } from "./settings.ts";

/** Networks wider than these are no cluster's own: a mistake in one would take everybody's traffic. */
const WIDEST = { 4: 8, 6: 16 } as const;

/** What another cluster has that is of use here. */
export interface RemoteCluster {
  readonly cluster: Cluster;
  readonly endpoints: readonly TunnelEndpoint[];
  readonly cidrs: readonly Prefix[];
  readonly problems: readonly Problem[];
}

/** No name of a cluster has a blank. */
const OWN = "this cluster";

/** The other clusters that are registered. Where two claim one network, or one claims ours, the older has it. */
export class RemoteClusters {
  readonly #own: string;
  readonly #ownNetworks: readonly Prefix[];
  /** Endpoints of this cluster with something outside its networks. */
  readonly #outside = new Set<string>();
  readonly #claims = new PrefixClaims();
  readonly #clusters = new Map<string, Cluster>();
  readonly #states = new Map<string, RemoteCluster>();
  #touched = new Set<string>();

  constructor(settings: OperatorSettings) {
    this.#own = settings.cluster;
    const { clusterCidrs, connector, edgePools } = settings;
    this.#ownNetworks = [...clusterCidrs, ...connector.subnets, ...edgePools.map((pool) => pool.cidr)];
    this.#claims.set({ name: OWN, created: "" }, this.#ownNetworks);
  }

  /** What is behind an endpoint of this cluster, which may be more than its settings tell (Calico has many pools). */
  setOwn(endpoint: string, subnets: readonly Prefix[]): void {
    const outside = subnets.filter((subnet) => !this.#ownNetworks.some((network) => prefixCovers(network, subnet)));
    if (outside.length > 0) this.#outside.add(endpoint);
    else if (!this.#outside.delete(endpoint)) return;
    this.#touch(this.#claims.set({ name: `${OWN} (${endpoint})`, created: "" }, distinct(outside)));
  }

  /** This cluster's own object says nothing that is not known already. */
  set(key: string, cluster: Cluster | undefined): void {
    const remote = cluster?.name === this.#own ? undefined : cluster;
    this.#touched.add(key);
    if (remote === undefined) this.#clusters.delete(key);
    else this.#clusters.set(key, remote);
    const claims =
      remote === undefined ? [] : distinct([...remote.cidrs, ...remote.endpoints.flatMap((e) => e.subnets)]);
    const narrow = claims.filter((prefix) => !isTooWide(prefix));
    // An object without a time of creation is still younger than this cluster.
    this.#touch(this.#claims.set({ name: key, created: remote?.created || "0" }, narrow));
  }

  /** @returns the clusters for which something may be different, each with what it was */
  settle(): ReadonlyMap<string, RemoteCluster | undefined> {
    const before = new Map([...this.#touched].map((key) => [key, this.#states.get(key)]));
    for (const key of this.#touched) {
      const cluster = this.#clusters.get(key);
      if (cluster === undefined) this.#states.delete(key);
      else this.#states.set(key, this.#read(key, cluster));
    }
    this.#touched = new Set();
    return before;
  }

  get(key: string): RemoteCluster | undefined {
    return this.#states.get(key);
  }

  values(): IterableIterator<RemoteCluster> {
    return this.#states.values();
  }

  #touch(claimants: Iterable<string>): void {
    for (const name of claimants) if (!name.startsWith(OWN)) this.#touched.add(name);
  }

  #read(key: string, cluster: Cluster): RemoteCluster {
    const problems: Problem[] = [];
    const conflicts = this.#claims.conflictsOf(key);
    const lost = new Set(conflicts.map(({ prefix }) => formatPrefix(prefix)));
    const usable = (prefix: Prefix) => !isTooWide(prefix) && !lost.has(formatPrefix(prefix));
    const wide = [...cluster.cidrs, ...cluster.endpoints.flatMap((e) => e.subnets)].find(isTooWide);
    if (wide !== undefined) problems.push(tooWide(cluster.name, wide));
    problems.push(...conflicts.map((conflict) => overlap(cluster.name, conflict)));
    const endpoints = new Map<string, TunnelEndpoint>();
    for (const endpoint of cluster.endpoints) {
      const subnets = distinct(endpoint.subnets.filter(usable));
      const wrong = checkEndpoint(cluster.name, { ...endpoint, subnets }, endpoints);
      if (wrong === undefined) endpoints.set(endpoint.name, { ...endpoint, subnets });
      else problems.push(wrong);
    }
    return { cluster, endpoints: [...endpoints.values()], cidrs: cluster.cidrs.filter(usable), problems };
  }
}

function checkEndpoint(
  cluster: string,
  endpoint: TunnelEndpoint,
  others: ReadonlyMap<string, TunnelEndpoint>,
): Problem | undefined {
  const { name, id, publicAddresses, subnets, nodeSubnets } = endpoint;
  const refuse = (why: string, hint: string): Problem => ({
    code: "ENDPOINT_UNUSABLE",
    severity: "degraded",
    message: `Cannot use endpoint ${JSON.stringify(name)} of cluster ${cluster} as ${why}`,
    hint,
  });
  if (!name.startsWith(`${cluster}.`)) {
    return refuse("its name is not one of that cluster", `Names of its endpoints begin with "${cluster}.".`);
  }
  if (others.has(name)) return refuse("it is there twice", "Remove one of the two.");
  const lacking = [
    id === "" ? "id" : "",
    publicAddresses.length === 0 ? "publicAddresses" : "",
    subnets.length === 0 ? "subnets" : "",
    nodeSubnets.length === 0 ? "nodeSubnets" : "",
  ].filter((field) => field !== "");
  if (lacking.length === 0) return undefined;
  return refuse(
    `it has no ${lacking.join(" and no ")} that can be used`,
    "Wait until that cluster's operator has reported them, or see the other conditions of this object.",
  );
}

function isTooWide(prefix: Prefix): boolean {
  return prefix.length < WIDEST[ipFamily(prefix.address)];
}

function distinct(prefixes: readonly Prefix[]): readonly Prefix[] {
  return [...new Map(prefixes.map((prefix) => [formatPrefix(prefix), prefix])).values()];
}

function tooWide(cluster: string, prefix: Prefix): Problem {
  return {
    code: "CIDR_TOO_WIDE",
    severity: "degraded",
    message: `Cannot use network ${formatPrefix(prefix)} of cluster ${cluster} as it is wider than /${WIDEST[ipFamily(prefix.address)]}`,
    hint: "Let that cluster report the networks of its pods and services only (--cluster-cidr, --connector-subnets).",
  };
}

function overlap(cluster: string, { prefix, other, otherPrefix }: Conflict): Problem {
  const whose = other.startsWith(OWN) ? other : `cluster ${other}`;
  return {
    code: "CIDR_OVERLAP",
    severity: "degraded",
    message: `Cannot use network ${formatPrefix(prefix)} of cluster ${cluster} as it overlaps ${formatPrefix(otherPrefix)} of ${whose}`,
    hint: "Give the clusters networks that do not overlap; until then this one is not reached in that cluster.",
  };
}
