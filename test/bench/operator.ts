import { join } from "node:path";
import { CONFIG_MAPS, collectionPath, SECRETS } from "../../src/kube/resource.ts";
import type { LabProcess } from "../lab/process.ts";
import { toolPaths } from "../lab/tools.ts";
import { isEdge, NEIGHBOURS, neighboursOf } from "./operator/bench-nodes.ts";
import { OperatorWorld, peakResidentBytes } from "./operator/operator-world.ts";
import {
  CHANGE_EACH,
  CHANGE_OBJECTS,
  CHANGE_OWN,
  FILL,
  FILL_CPU,
  FILL_RATE,
  IDLE_CPU,
  MEMORY_ANONYMOUS,
  MEMORY_PEAK,
  MEMORY_PEAK_RESTARTED,
  MEMORY_PROPORTIONAL,
  MEMORY_RESIDENT,
  PLAN,
  PLAN_CHANGE,
  RESTART,
  RESTART_WRITES,
} from "./operator/quantities.ts";
import type { PlanFigures } from "./operator-plan.ts";
import { option } from "./option.ts";
import { toolVersion } from "./peer-version.ts";
import { sampleProcess } from "./process-sample.ts";
import { Report } from "./report/report.ts";
import { OURS, type Quantity } from "./report/series.ts";

/**
 * The compiled operator beside a real kube-apiserver with etcd: one node in a hundred is in the cloud, fifty neighbours
 * each are a community. BENCHMARKS.md says what each figure means and how it is taken.
 *
 * test/bench/operator.ts [--sizes N,…] [--changes N] [--program FILE]
 * sizes: numbers of nodes, ascending multiples of 50: 1000,5000,10000 unless told
 */
const SIZES = sizesOf(process.argv);
const CHANGES = option("changes", 200);
const PROGRAM = programOf(process.argv);
/** Coprime to the numbers of nodes: changes go through all of them in no order. */
const STRIDE = 7919;
const IDLE_SECONDS = 15;

const say = (text: string) => console.error(`${new Date().toTimeString().slice(0, 8)} ${text}`);

function sizesOf(argv: readonly string[]): readonly number[] {
  const at = argv.indexOf("--sizes");
  const sizes = at < 0 ? [1000, 5000, 10_000] : (argv[at + 1] ?? "").split(",").map(Number);
  const wrong = sizes.find((size, i) => !(size > (sizes[i - 1] ?? 0)) || size % NEIGHBOURS !== 0);
  if (wrong === undefined) return sizes;
  throw new Error(`Cannot take --sizes as ascending multiples of ${NEIGHBOURS}: current value is ${sizes}`);
}

function programOf(argv: readonly string[]): string {
  const at = argv.indexOf("--program");
  return at < 0 ? join(import.meta.dir, "../../dist/selvedge-cloud-linux-x64") : (argv[at + 1] ?? "");
}

class OperatorBenchmark {
  readonly #report: Report;
  readonly #world: OperatorWorld;

  constructor(report: Report, world: OperatorWorld) {
    this.#report = report;
    this.#world = world;
  }

  async measureAt(size: number): Promise<void> {
    say(`${size} nodes: planning alone`);
    this.#plan(size);
    say(`${size} nodes: creating them`);
    await this.#world.grow(size);
    const namespace = `fabedge-${size}`;
    await this.#world.addNamespace(namespace);
    say(`${size} nodes: first fill`);
    const operator = await this.#fill(size, namespace);
    say(`${size} nodes: ${CHANGES} changes`);
    await this.#changes(size, namespace);
    this.#add(MEMORY_PEAK, size, peakResidentBytes(operator.pid));
    await operator.stop();
    say(`${size} nodes: restart`);
    await this.#restart(size, namespace);
  }

  /** In a process of its own, so that neither has the other's garbage. */
  #plan(size: number): void {
    const argv = [process.execPath, join(import.meta.dir, "operator-plan.ts"), "--json"];
    const { stdout } = Bun.spawnSync([...argv, "--cni", "flannel", "--nodes", String(size)], { stderr: "inherit" });
    const [figures] = JSON.parse(stdout.toString()) as readonly [PlanFigures];
    this.#add(PLAN, size, figures.full / 1000);
    this.#add(PLAN_CHANGE, size, ...figures.moved.plan.map((milliseconds) => milliseconds / 1000));
  }

  /** @returns the operator, running */
  async #fill(size: number, namespace: string): Promise<LabProcess> {
    const { station } = this.#world;
    const edges = edgeCount(size);
    const began = performance.now();
    const operator = await this.#world.start(namespace);
    await this.#world.settled(2 * edges);
    const seconds = (performance.now() - began) / 1000;
    const [configMaps, secrets] = [
      await station.ask("count", collectionPath(CONFIG_MAPS, namespace)),
      await station.ask("count", collectionPath(SECRETS, namespace)),
    ];
    if (configMaps < edges || secrets < edges)
      throw new Error(`Cannot take a figure of ${edges} edge nodes: ${configMaps} ConfigMaps, ${secrets} Secrets`);
    this.#add(FILL, size, seconds);
    this.#add(FILL_RATE, size, (configMaps + secrets) / seconds);
    this.#add(FILL_CPU, size, sampleProcess(operator.pid).cpuSeconds);
    return operator;
  }

  async #changes(size: number, namespace: string): Promise<void> {
    const { station } = this.#world;
    await station.ask("watch", namespace);
    let expected = 0;
    for (let i = 0, at = 0; i < CHANGES; at++) {
      const node = (at * STRIDE) % size;
      if (!isEdge(node)) continue;
      i += 1;
      // Its own and its neighbours', and the connector's, or one part of that.
      const documents = neighboursOf(node).length + 1;
      expected += documents;
      const { untilWritten, untilOwn } = await station.ask("change", { node, documents });
      this.#add(CHANGE_EACH, size, ...untilWritten);
      this.#add(CHANGE_OWN, size, untilOwn);
    }
    await this.#world.settled(0);
    this.#add(CHANGE_OBJECTS, size, (await station.ask("written", null)) - expected);
  }

  async #restart(size: number, namespace: string): Promise<void> {
    const before = await this.#writes();
    const began = performance.now();
    const operator = await this.#world.start(namespace);
    // Every document, and what is said of every node.
    const metrics = await this.#world.settled(2 * edgeCount(size) + size);
    this.#add(RESTART, size, (performance.now() - began) / 1000);
    this.#add(MEMORY_PEAK_RESTARTED, size, peakResidentBytes(operator.pid));
    const [rested, start] = [sampleProcess(operator.pid), performance.now()];
    await Bun.sleep(IDLE_SECONDS * 1000);
    const sample = sampleProcess(operator.pid);
    const seconds = (performance.now() - start) / 1000;
    this.#add(RESTART_WRITES, size, (await this.#writes()) - before + metrics.sum("operator_writes_total"));
    this.#add(IDLE_CPU, size, (100 * (sample.cpuSeconds - rested.cpuSeconds)) / seconds);
    this.#add(MEMORY_RESIDENT, size, sample.residentBytes);
    this.#add(MEMORY_ANONYMOUS, size, sample.anonymousBytes);
    this.#add(MEMORY_PROPORTIONAL, size, sample.proportionalBytes);
    await operator.stop();
  }

  async #writes(): Promise<number> {
    const byResource = await this.#world.station.ask("writes", null);
    return Object.values(byResource).reduce((sum, count) => sum + count, 0);
  }

  #add(quantity: Quantity, size: number, ...values: readonly number[]): void {
    this.#report.add(quantity, OURS, values, { size });
  }
}

function edgeCount(nodes: number): number {
  return Array.from({ length: nodes }, (_, i) => i).filter(isEdge).length;
}

const report = new Report("operator", "The operator beside a real API server", "nodes");
const { "kube-apiserver": server, etcd } = await toolPaths("kube-apiserver", "etcd");
report.version("kube-apiserver", toolVersion(server));
report.version("etcd", toolVersion(etcd));
await using world = await OperatorWorld.create(PROGRAM);
const benchmark = new OperatorBenchmark(report, world);
try {
  for (const size of SIZES) await benchmark.measureAt(size);
} finally {
  report.finish(); // what was measured before something failed too
}
