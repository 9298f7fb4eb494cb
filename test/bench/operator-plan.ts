import type { OperatorChange } from "../../cloud/operator/change.ts";
import { OperatorPlanner } from "../../cloud/operator/planner.ts";
import type { OperatorSettings } from "../../cloud/operator/settings.ts";
import { ipFromBytes } from "../../src/base/ip.ts";
import { prefix } from "../support/network-objects.ts";
import {
  cloudNode,
  community,
  edgeNode,
  ipamBlock,
  makeCalicoSettings,
  makeOperatorSettings,
} from "../support/operator-objects.ts";

/**
 * What planning costs the operator: everything once, and one change, in the process alone. 100 nodes are in the cloud,
 * all others at the edge, in communities of 50, pods on all of them; every tenth edge node is in a second community.
 *
 * test/bench/operator-plan.ts [--json] [--nodes 1000,5000,10000] [--cni flannel,calico]
 */
const SIZES = option("nodes", "1000,5000,10000").split(",").map(Number);
const CNIS = option("cni", "flannel,calico").split(",");
const CLOUD_NODES = 100;
const MEMBERS = 50;
const CHANGES = 1000;
/** Each concerns every edge node. */
const CLOUD_CHANGES = 30;

function option(name: string, otherwise: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : (process.argv[at + 1] ?? otherwise);
}

const SETTINGS: Readonly<Record<string, OperatorSettings>> = {
  flannel: makeOperatorSettings({ clusterCidrs: [prefix("10.0.0.0/8")] }),
  calico: makeCalicoSettings({
    clusterCidrs: [prefix("172.16.0.0/16")],
    edgePools: [
      { cidr: prefix("10.0.0.0/10"), blockLength: 24 },
      { cidr: prefix("fd00::/64"), blockLength: 120 },
    ],
  }),
};

function address(a: number, i: number, last = 0): string {
  return ipFromBytes(Uint8Array.of(a, i >> 8, i & 255, last));
}

function edge(i: number, shift = 0): OperatorChange {
  return edgeNode(`edge-${i}`, { ip: address(192, i, 1 + shift), cidrs: [`${address(10, i)}/24`] });
}

function cloudNodeOf(i: number, last: number): OperatorChange {
  return cloudNode(`cloud-${i}`, { ip: address(172, i, last), cidrs: [`${address(10, 60_000 + i)}/24`] });
}

/** With flannel a cloud node gets another address, with Calico another block. */
function cloudChange(cni: string, i: number): OperatorChange {
  return cni === "flannel" ? cloudNodeOf(i, 2) : ipamBlock(`172.16.128.${i * 4}/30`, `cloud-${i}`);
}

function everything(nodes: number): OperatorChange[] {
  const edges = nodes - CLOUD_NODES;
  const objects: OperatorChange[] = [];
  for (let i = 0; i < CLOUD_NODES; i++) {
    objects.push(cloudNodeOf(i, 1), ipamBlock(`172.16.${i}.0/26`, `cloud-${i}`));
  }
  for (let i = 0; i < edges; i++) objects.push(edge(i));
  for (let from = 0; from < edges; from += MEMBERS) {
    const length = Math.min(MEMBERS, edges - from);
    objects.push(
      community(
        `line-${from}`,
        Array.from({ length }, (_, i) => `paris.edge-${from + i}`),
      ),
    );
  }
  const tenth = Array.from({ length: Math.floor(edges / 10) }, (_, i) => `paris.edge-${i * 10}`);
  for (let from = 0; from < tenth.length; from += MEMBERS) {
    objects.push(community(`area-${from}`, tenth.slice(from, from + MEMBERS)));
  }
  return objects;
}

function timed<T>(work: () => T): readonly [milliseconds: number, result: T] {
  const start = performance.now();
  const result = work();
  return [performance.now() - start, result];
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

/** Asks for documents as the reconciler does. */
function make(
  planner: OperatorPlanner,
  keys: Iterable<string>,
): { readonly count: number; readonly characters: number } {
  let count = 0;
  let characters = 0;
  for (const key of keys) {
    const desired = planner.document(key);
    count += 1;
    if (desired.state !== "present" || desired.object.kind !== "ConfigMap") continue;
    for (const text of Object.values(desired.object.data)) characters += text.length;
  }
  return { count, characters };
}

function measureChanges(planner: OperatorPlanner, changes: number, change: (i: number) => OperatorChange) {
  const plan: number[] = [];
  const whole: number[] = [];
  let documents = 0;
  for (let i = 0; i < changes; i++) {
    const one = change(i);
    const [planning, delta] = timed(() => planner.apply([one]));
    const [making] = timed(() => make(planner, delta.documents));
    plan.push(planning);
    whole.push(planning + making);
    documents += delta.documents.size;
  }
  return {
    plan,
    p50: quantile(plan, 0.5),
    p99: quantile(plan, 0.99),
    wholeP50: quantile(whole, 0.5),
    wholeP99: quantile(whole, 0.99),
    documents: documents / changes,
  };
}

/** With `--json`; times in milliseconds. */
export type PlanFigures = ReturnType<typeof measure>;

function measure(cni: string, settings: OperatorSettings, nodes: number) {
  const objects = everything(nodes);
  const edges = nodes - CLOUD_NODES;
  Bun.gc(true);
  const before = process.memoryUsage().heapUsed;
  const processor = process.cpuUsage();
  const [indexing, planner] = timed(() => new OperatorPlanner(settings, objects));
  const [making, all] = timed(() => make(planner, planner.keys()));
  const { user, system } = process.cpuUsage(processor);
  Bun.gc(true);
  const heap = (process.memoryUsage().heapUsed - before) / 2 ** 20;
  const moved = measureChanges(planner, CHANGES, (i) => edge((i * 7919) % edges, 1 + (i % 2)));
  const cloud = measureChanges(planner, CLOUD_CHANGES, (i) => cloudChange(cni, i));
  return {
    cni,
    nodes,
    full: indexing + making,
    cpu: (user + system) / 1000,
    indexing,
    making,
    ...all,
    heap,
    moved,
    cloud,
  };
}

function main(): void {
  const chosen = Object.entries(SETTINGS).filter(([cni]) => CNIS.includes(cni));
  const results = chosen.flatMap(([cni, settings]) => SIZES.map((size) => measure(cni, settings, size)));
  if (process.argv.includes("--json")) {
    console.log(JSON.stringify(results));
    return;
  }
  const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
  for (const one of results) {
    const row = (name: string, value: string) => console.log(`  ${name.padEnd(52)}${value.padStart(14)}`);
    console.log(`${one.nodes} nodes, ${one.cni}`);
    row("full plan, every document made", ms(one.full));
    row("  processor time, the collector's threads included", ms(one.cpu));
    row("  of this, the objects joined", ms(one.indexing));
    row(`  ${one.count} documents`, `${(one.characters / 2 ** 20).toFixed(1)} MB`);
    row("memory of the plan", `${one.heap.toFixed(1)} MB`);
    row("one edge node changes: planning, p50", ms(one.moved.p50));
    row("  p99", ms(one.moved.p99));
    row(`  with its ${one.moved.documents.toFixed(0)} documents made, p50`, ms(one.moved.wholeP50));
    row("  p99", ms(one.moved.wholeP99));
    row("one cloud node or block changes: planning, p50", ms(one.cloud.p50));
    row("  p99", ms(one.cloud.p99));
    row(`  with its ${one.cloud.documents.toFixed(0)} documents made, p50`, ms(one.cloud.wholeP50));
  }
}

if (import.meta.main) main();
