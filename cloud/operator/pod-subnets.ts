import { formatPrefix, ipFamily, type Prefix, parsePrefix, prefixCovers } from "../../src/base/ip.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import type { IpamBlock } from "../../src/network/ipam-block.ts";
import { SUBNETS_ANNOTATION } from "./object-names.ts";
import { planSubnet } from "./pool-allocator.ts";
import { type Claimant, type Conflict, PrefixClaims, rangeOf } from "./prefix-claims.ts";
import type { Problem } from "./problem.ts";
import type { EdgePool, OperatorSettings } from "./settings.ts";

/** A pod network for each family, with room for what a person adds. */
export const NODE_SUBNETS_LIMIT = 8;

export interface EdgeSubnets {
  /** Empty where the node has none, or may not use what it claims. */
  readonly subnets: readonly Prefix[];
  /** What `fabedge.io/subnets` should say; undefined: what it says already. */
  readonly annotation: string | undefined;
  readonly problems: readonly Problem[];
}

interface EdgeState {
  readonly node: ClusterNode;
  /** What its annotation says; undefined when that is no list of CIDRs. */
  readonly written: readonly Prefix[] | undefined;
  /** Claimed for the node: what its annotation says and what was allocated. */
  assigned: readonly Prefix[];
  problem: Problem | undefined;
}

const ALLOCATION = "Allocation";
const SETTINGS = { name: "the operator's settings", created: "" };

/**
 * Who has which pod network. With flannel it is what Kubernetes gave to each node; with Calico edge nodes have parts of
 * a pool of their own, kept in an annotation, and cloud nodes have Calico's blocks.
 */
export class PodSubnets {
  readonly #pools: readonly EdgePool[];
  readonly #calico: boolean;
  readonly #claims = new PrefixClaims();
  readonly #edges = new Map<string, EdgeState>();
  readonly #cloud = new Map<string, ClusterNode>();
  readonly #blocks = new Map<string, IpamBlock>();
  readonly #blocksOf = new Map<string, Set<string>>();
  /** Edge nodes that lack a subnet of some family, and those of them that have not been looked at yet. */
  readonly #waiting = new Set<string>();
  readonly #fresh = new Set<string>();
  /** Pools in which nothing was free when last looked, until something is. */
  readonly #exhausted = new Set<EdgePool>();
  /** Something may have become free since. */
  #released = false;
  #touched = new Set<string>();

  constructor(settings: OperatorSettings) {
    this.#calico = settings.cni === "calico";
    this.#pools = this.#calico ? settings.edgePools : [];
    this.#claims.set(SETTINGS, settings.connector.subnets);
  }

  setEdge(node: ClusterNode): void {
    this.#cloud.delete(node.name);
    const state: EdgeState = { node, written: writtenSubnets(node), assigned: [], problem: undefined };
    if (this.#calico) this.#readAnnotation(state, this.#edges.get(node.name));
    else this.#readPodCidrs(state);
    this.#edges.set(node.name, state);
    this.#claimFor(state);
  }

  setCloud(node: ClusterNode): void {
    this.#forgetEdge(node.name);
    this.#cloud.set(node.name, node);
    // A node that was an edge node and may be one again: taking its label away by mistake must not cost its subnet.
    const reserved = () => (writtenSubnets(node) ?? []).filter((prefix) => this.#inPools(prefix));
    this.#claim(claimant("Node", node.name, node.created), this.#calico ? reserved() : node.podCidrs);
    this.#claim(allocation(node.name), []);
  }

  deleteNode(name: string): void {
    this.#forgetEdge(name);
    this.#cloud.delete(name);
    this.#claim(claimant("Node", name, ""), []);
    this.#claim(allocation(name), []);
  }

  setBlock(name: string, block: IpamBlock | undefined): void {
    const before = this.#blocks.get(name);
    if (before?.node !== undefined) {
      this.#blocksOf.get(before.node)?.delete(name);
      this.#touched.add(before.node);
    }
    if (block === undefined) this.#blocks.delete(name);
    else this.#blocks.set(name, block);
    if (block?.node !== undefined) {
      const names = this.#blocksOf.get(block.node);
      if (names === undefined) this.#blocksOf.set(block.node, new Set([name]));
      else names.add(name);
      this.#touched.add(block.node);
    }
    this.#claim(claimant("IPAMBlock", name, block?.created ?? ""), block === undefined ? [] : [block.cidr]);
  }

  /**
   * Gives subnets to those that wait for one.
   *
   * @returns the nodes for which something may be different since the last time
   */
  settle(): ReadonlySet<string> {
    for (const name of this.#touched) this.#releaseUnwritten(name);
    if (this.#released) this.#exhausted.clear();
    const names = this.#released ? this.#waiting : this.#fresh;
    const waiting = [...names].map((name) => this.#edges.get(name)).filter((state) => state !== undefined);
    this.#released = false;
    this.#fresh.clear();
    // The oldest first, so that the outcome is the same in whatever order they came.
    for (const state of waiting.sort((a, b) => compareAge(a.node, b.node))) this.#allocate(state);
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  edge(name: string): EdgeSubnets | undefined {
    const state = this.#edges.get(name);
    if (state === undefined) return undefined;
    const conflicts = this.#claims
      .conflictsOf(claimName("Node", name))
      .map((conflict) => this.#conflictProblem(conflict));
    const outside = this.#calico ? this.#outsidePools(state) : [];
    const problems = [...(state.problem === undefined ? [] : [state.problem]), ...conflicts, ...outside];
    const usable = !problems.some((problem) => problem.severity === "failed");
    return { subnets: usable ? state.assigned : [], annotation: this.#annotation(state), problems };
  }

  /** The pod networks of a cloud node, and why some of what it has is left out. */
  cloud(name: string): { readonly subnets: readonly Prefix[]; readonly problems: readonly Problem[] } {
    const node = this.#cloud.get(name);
    if (node === undefined) return { subnets: [], problems: [] };
    if (!this.#calico) {
      const conflicts = this.#claims.conflictsOf(claimName("Node", name));
      const lost = new Set(conflicts.map((conflict) => conflict.prefix));
      return {
        subnets: node.podCidrs.filter((cidr) => !lost.has(cidr)),
        problems: conflicts.map((conflict) => this.#conflictProblem(conflict)),
      };
    }
    const blocks = [...(this.#blocksOf.get(name) ?? [])].flatMap((block) => this.#blocks.get(block) ?? []);
    const conflicts = blocks.flatMap((block) => this.#claims.conflictsOf(claimName("IPAMBlock", block.name)));
    const lost = new Set(conflicts.map((conflict) => conflict.prefix));
    return {
      subnets: blocks
        .map((block) => block.cidr)
        .filter((cidr) => !lost.has(cidr))
        .sort(comparePrefixes),
      problems: conflicts.map((conflict) => this.#conflictProblem(conflict)),
    };
  }

  #readPodCidrs(state: EdgeState): void {
    state.assigned = state.node.podCidrs;
    if (state.assigned.length > 0) return;
    state.problem = {
      code: "POD_CIDR_MISSING",
      severity: "failed",
      message: `Cannot connect the pods of node ${state.node.name} as spec.podCIDRs is empty`,
      hint: "Let kube-controller-manager give out pod CIDRs (--allocate-node-cidrs), or wait until it has.",
    };
  }

  /** @param before the same node as it was known until now */
  #readAnnotation(state: EdgeState, before: EdgeState | undefined): void {
    const { written } = state;
    if (written === undefined) {
      const text = JSON.stringify(state.node.annotations[SUBNETS_ANNOTATION]);
      state.problem = {
        code: "SUBNETS_MALFORMED",
        severity: "info",
        message: `Cannot read ${SUBNETS_ANNOTATION} of node ${state.node.name} as CIDRs: current value is ${text}`,
        hint: "Nothing: it is written again, with the same subnets where they are still free.",
      };
    }
    state.assigned = written ?? [];
    // What was allocated stays allocated until the annotation has been written, and after it only as it is there.
    const unwritten = before === undefined ? [] : this.#unwritten(before);
    for (const pool of this.#missing(state)) {
      const kept = unwritten.find((prefix) => prefixCovers(pool.cidr, prefix));
      if (kept !== undefined) state.assigned = this.#inPoolOrder([...state.assigned, kept]);
    }
    if (this.#missing(state).length > 0) this.#wait(state.node.name);
    else this.#waiting.delete(state.node.name);
  }

  #wait(name: string): void {
    this.#waiting.add(name);
    this.#fresh.add(name);
  }

  #unwritten(state: EdgeState): readonly Prefix[] {
    const written = new Set(state.written?.map(formatPrefix));
    return state.assigned.filter((prefix) => !written.has(formatPrefix(prefix)));
  }

  /** What was allocated and is not in the annotation yet can still be taken back when somebody else turns out to have it. */
  #releaseUnwritten(name: string): void {
    const state = this.#edges.get(name);
    if (!this.#calico || state === undefined) return;
    const unwritten = this.#unwritten(state);
    if (unwritten.length === 0) return;
    const lost = this.#claims.conflictsOf(allocation(name).name).map(({ prefix }) => prefix);
    if (lost.length === 0) return;
    state.assigned = state.assigned.filter((prefix) => !lost.includes(prefix));
    this.#wait(name);
    this.#claimFor(state);
  }

  #allocate(state: EdgeState): void {
    const { name } = state.node;
    const missing = this.#missing(state);
    const allocated: Prefix[] = [];
    for (const pool of missing) {
      const subnet = this.#exhausted.has(pool) ? undefined : planSubnet(pool, name, this.#claims);
      if (subnet === undefined) this.#exhausted.add(pool);
      else allocated.push(subnet);
    }
    if (allocated.length > 0) {
      state.assigned = this.#inPoolOrder([...state.assigned, ...allocated]);
      this.#claimFor(state);
    }
    const lacking = this.#missing(state);
    if (lacking.length === 0) {
      this.#waiting.delete(name);
      if (state.problem?.code === "POOL_EXHAUSTED") state.problem = undefined;
    } else if (state.problem?.code !== "POOL_EXHAUSTED") {
      state.problem = exhausted(name, lacking, state.assigned.length > 0);
      this.#touched.add(name);
    }
  }

  /** Pools of families in which the node has nothing. */
  #missing(state: EdgeState): readonly EdgePool[] {
    const families = new Set(state.assigned.map((prefix) => ipFamily(prefix.address)));
    return this.#pools.filter((pool) => !families.has(ipFamily(pool.cidr.address)));
  }

  #inPoolOrder(prefixes: readonly Prefix[]): readonly Prefix[] {
    const place = ({ address }: Prefix) =>
      this.#pools.findIndex((pool) => ipFamily(pool.cidr.address) === ipFamily(address));
    return prefixes.toSorted((a, b) => place(a) - place(b));
  }

  #outsidePools(state: EdgeState): readonly Problem[] {
    return state.assigned
      .filter((prefix) => !this.#inPools(prefix))
      .map((prefix) => ({
        code: "SUBNET_OUTSIDE_POOL",
        severity: "failed",
        message: `Cannot use subnet ${formatPrefix(prefix)} of node ${state.node.name} as it is in no edge pod CIDR: current value of these is ${this.#pools.map((pool) => formatPrefix(pool.cidr)).join(", ")}`,
        hint: `Give the operator an edge pod CIDR that contains it, or remove the annotation ${SUBNETS_ANNOTATION}: the node then gets another subnet, and its pods new addresses.`,
      }));
  }

  #inPools(prefix: Prefix): boolean {
    return this.#pools.some((pool) => prefixCovers(pool.cidr, prefix));
  }

  #annotation(state: EdgeState): string | undefined {
    if (!this.#calico || state.assigned.length === 0) return undefined;
    const wanted = state.assigned.map(formatPrefix).join(",");
    return state.written?.map(formatPrefix).join(",") === wanted ? undefined : wanted;
  }

  #forgetEdge(name: string): void {
    this.#edges.delete(name);
    this.#waiting.delete(name);
    this.#fresh.delete(name);
  }

  #claimFor(state: EdgeState): void {
    const { name, created } = state.node;
    const allocated = this.#calico ? this.#unwritten(state) : [];
    this.#touched.add(name);
    this.#claim(
      claimant("Node", name, created),
      state.assigned.filter((prefix) => !allocated.includes(prefix)),
    );
    this.#claim(allocation(name), allocated);
  }

  #claim(claimant: Claimant, prefixes: readonly Prefix[]): void {
    const kept = new Set(prefixes.map(formatPrefix));
    this.#released ||= this.#claims.claimsOf(claimant.name).some((prefix) => !kept.has(formatPrefix(prefix)));
    this.#touch(this.#claims.set(claimant, prefixes));
    this.#touch([claimant.name]);
  }

  #touch(claimants: Iterable<string>): void {
    for (const name of claimants) {
      const [kind, object = ""] = splitOnce(name);
      if (kind === "Node" || kind === ALLOCATION) this.#touched.add(object);
      const node = kind === "IPAMBlock" ? this.#blocks.get(object)?.node : undefined;
      if (node !== undefined) this.#touched.add(node);
    }
  }

  #conflictProblem({ prefix, other, otherPrefix }: Conflict): Problem {
    const [kind, name] = splitOnce(other);
    const who = name === undefined ? kind : `${kind} ${name}`;
    return {
      code: "SUBNET_CONFLICT",
      severity: "failed",
      message: `Cannot use subnet ${formatPrefix(prefix)} as it overlaps ${formatPrefix(otherPrefix)} of ${who}, which had it first`,
      hint: this.#calico
        ? `Remove the annotation ${SUBNETS_ANNOTATION} from this node: it gets another subnet, and its pods new addresses.`
        : "Make this node again, so that it gets another pod CIDR.",
    };
  }
}

/** undefined: not a list of CIDRs. Empty text is an empty list. */
function writtenSubnets(node: ClusterNode): readonly Prefix[] | undefined {
  const text = node.annotations[SUBNETS_ANNOTATION] ?? "";
  const parts = text.split(",").map((part) => part.trim());
  if (text.trim() === "") return [];
  if (parts.length > NODE_SUBNETS_LIMIT) return undefined;
  const prefixes = parts.map(parsePrefix);
  return prefixes.every((prefix) => prefix.ok) ? prefixes.map((prefix) => prefix.value) : undefined;
}

function exhausted(node: string, pools: readonly EdgePool[], some: boolean): Problem {
  const full = pools.map((pool) => `${formatPrefix(pool.cidr)} in parts of /${pool.blockLength}`).join(", ");
  return {
    code: "POOL_EXHAUSTED",
    severity: some ? "degraded" : "failed",
    message: `Cannot give node ${node} a subnet as the edge pod CIDR has none left: current value is ${full}`,
    hint: "Give the operator a larger edge pod CIDR or smaller parts (--edge-pod-cidr, --edge-cidr-mask-size), or remove nodes that are gone.",
  };
}

function claimName(kind: "Node" | "IPAMBlock", name: string): string {
  return `${kind}/${name}`;
}

/** An object without a time of creation (of a folder of manifests) is still younger than the operator's settings. */
function claimant(kind: "Node" | "IPAMBlock", name: string, created: string): Claimant {
  return { name: claimName(kind, name), created: created || "0" };
}

/**
 * What was given to a node and does not stand in its annotation yet: it gives way to whatever is written, however young,
 * since another operator may have led when that was.
 */
function allocation(node: string): Claimant {
  return { name: `${ALLOCATION}/${node}`, created: "~" };
}

function splitOnce(name: string): readonly [kind: string, name: string | undefined] {
  const at = name.indexOf("/");
  return at < 0 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)];
}

function compareAge(a: ClusterNode, b: ClusterNode): number {
  return compareText(a.created, b.created) || compareText(a.name, b.name);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function comparePrefixes(a: Prefix, b: Prefix): number {
  const [first, second] = [rangeOf(a).start, rangeOf(b).start];
  return first === second ? a.length - b.length : first < second ? -1 : 1;
}
