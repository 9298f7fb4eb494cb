import { toolPaths } from "../lab/tools.ts";
import { run } from "../support/in-namespace.ts";
import { Report } from "./report/report.ts";
import { OURS } from "./report/series.ts";
import { translateByHand } from "./services/hand-made-rule.ts";
import { measureInProcess } from "./services/in-process.ts";
import {
  measureChanges,
  measureConnections,
  measureFullSync,
  measureShortConnections,
  probeDuring,
} from "./services/measurements.ts";
import { KubeProxy, Selvedge } from "./services/node-program.ts";
import { NodeTrial } from "./services/node-trial.ts";
import {
  CHANGE,
  CHANGE_FROM_WRITE,
  CHANGE_WORK,
  FIRST_PACKET,
  KERNEL_MEMORY,
  KUBE_PROXY,
  LOAD,
  LOAD_WORK,
  RESYNC,
  RESYNC_WRITES,
  SHORT_CONNECTIONS,
  STALL,
} from "./services/quantities.ts";
import { ServicesWorld } from "./services/services-world.ts";

/**
 * The compiled agent beside the real kube-proxy in nftables mode: both on nodes of their own, with the same API server,
 * measured in turns. BENCHMARKS.md says what each figure means and how it is taken.
 *
 * test/bench/services.ts [--sizes N,…]  numbers of services, ascending: 10,100,1000,10000 unless told
 */
const SIZES = sizesOf(process.argv);
/** Smaller worlds are for the first packet alone. */
const LEAST_FOR_LOADS = 100;
/** Less than the memory of fewer is what the rest of the machine takes and gives meanwhile. */
const LEAST_FOR_MEMORY = 1000;
const SIZE_FOR_HTTP = 1000;
const LOAD_ROUNDS = 3;
const CHANGE_ROUNDS = 4;
/** Neither program holds a change back that comes so long after the one before. A slow one makes fewer. */
const CHANGES = { count: 40, timeSeconds: 20, pauseMilliseconds: 100 };
const PACED_CHANGES = { count: 12, timeSeconds: 20, pauseMilliseconds: 0 };
const CONNECTION_ROUNDS = 50;
const CONNECTIONS = 400;
const HTTP_ROUNDS = 7;
const STALL_ROUNDS = 3;
const IDLE_MILLISECONDS = 5000;

/** Of ours and of the peer's, for each round: what has loaded everything cannot do it again. */
const STALL_NODES = Array.from({ length: STALL_ROUNDS }, (_, i) => [`ours-stall-${i}`, `peer-stall-${i}`] as const);

const DIRECT = "direct";
const NFT = "nft";
const BY_HAND = "one rule by hand";
/** As it comes, it waits a second from one of its transactions to the next. */
const PACED_KUBE_PROXY = "kube-proxy, back to back at its default pace";
const LEAST_PERIOD = "1ms";

const say = (text: string) => console.error(`${new Date().toTimeString().slice(0, 8)} ${text}`);

function sizesOf(argv: readonly string[]): readonly number[] {
  const at = argv.indexOf("--sizes");
  return at < 0 ? [10, 100, 1000, 10_000] : (argv[at + 1] ?? "").split(",").map(Number);
}

/** What fails leaves its figures out, and is told by the exit status; the others are still worth their time. */
async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    process.exitCode = 1;
    console.error(error);
  }
}

/** A program, and a node that it has loaded the first services into. */
type StallTrial = readonly [name: string, trial: NodeTrial, program: Selvedge | KubeProxy];

class ServicesBenchmark {
  readonly #report: Report;
  readonly #world: ServicesWorld;
  readonly #selvedge: Selvedge;
  readonly #kubeProxy: KubeProxy;
  readonly #pacedKubeProxy: KubeProxy;
  readonly #ours: NodeTrial;
  readonly #peer: NodeTrial;
  #zone = 0;

  constructor(report: Report, world: ServicesWorld, selvedge: Selvedge, kubeProxy: string) {
    this.#report = report;
    this.#world = world;
    this.#selvedge = selvedge;
    this.#kubeProxy = new KubeProxy(kubeProxy, KUBE_PROXY, LEAST_PERIOD);
    this.#pacedKubeProxy = new KubeProxy(kubeProxy, PACED_KUBE_PROXY, "1s");
    this.#ours = this.trial("ours");
    this.#peer = this.trial("peer");
  }

  trial(node: string): NodeTrial {
    return new NodeTrial(this.#world.path(node), this.#world.server.administratorKubeconfig);
  }

  async measureAt(size: number): Promise<void> {
    say(`${size} services: creating them`);
    await this.#world.grow(size);
    await this.#loads(size);
    if (size >= LEAST_FOR_LOADS) {
      await attempt(() => this.#changes(size));
      await attempt(() => this.#fullSyncs(size));
      await attempt(() => this.#inProcess(size));
    }
    await attempt(() => this.#firstPackets(size));
    if (size === SIZE_FOR_HTTP) await attempt(() => this.#shortConnections(size));
  }

  /** Leaves both running. */
  async #loads(size: number): Promise<void> {
    const measured = size >= LEAST_FOR_LOADS;
    for (let round = 0; round < (measured ? LOAD_ROUNDS : 1); round++) {
      say(`${size} services: load, round ${round + 1}`);
      const paced = measured && round === 0;
      for (const [trial, program] of [
        [this.#ours, this.#selvedge],
        [this.#peer, paced ? this.#pacedKubeProxy : this.#kubeProxy],
      ] as const) {
        this.#ours.pause();
        const name = trial === this.#ours ? OURS : KUBE_PROXY;
        const freed = await trial.remove(program);
        if (round > 0 && size >= LEAST_FOR_MEMORY) this.#report.add(KERNEL_MEMORY, name, [freed], { size });
        const { seconds, finished } = await trial.load(program, 2 * size);
        await trial.settle();
        if (!measured) continue;
        this.#report.add(LOAD, name, [seconds], { size, unfinished: !finished });
        if (program instanceof KubeProxy) {
          const { count, seconds: work } = await program.fullSyncs(trial.path.node);
          this.#report.add(LOAD_WORK, KUBE_PROXY, [work / count], { size });
        }
      }
      if (paced) await this.#pacedChanges(size);
      this.#ours.resume();
      await this.#ours.settle();
    }
  }

  async #pacedChanges(size: number): Promise<void> {
    const { fromEvent, fromWrite } = await measureChanges(this.#world, this.#peer, PACED_CHANGES);
    this.#report.add(CHANGE, PACED_KUBE_PROXY, fromEvent, { size });
    this.#report.add(CHANGE_FROM_WRITE, PACED_KUBE_PROXY, fromWrite, { size });
  }

  async #changes(size: number): Promise<void> {
    say(`${size} services: changes`);
    const turns = [
      [OURS, this.#ours, this.#peer],
      [KUBE_PROXY, this.#peer, this.#ours],
    ] as const;
    for (let round = 0; round < CHANGE_ROUNDS; round++) {
      for (const [name, trial, other] of turns) {
        other.pause();
        const changes = await measureChanges(this.#world, trial, CHANGES).finally(() => other.resume());
        this.#report.add(CHANGE, name, changes.fromEvent, { size });
        this.#report.add(CHANGE_FROM_WRITE, name, changes.fromWrite, { size });
        await other.settle();
      }
    }
  }

  async #fullSyncs(size: number): Promise<void> {
    say(`${size} services: full synchronisations`);
    for (let round = 0; round < LOAD_ROUNDS; round++) {
      const zone = `zone-${this.#zone++}`;
      const { seconds, transactions } = await measureFullSync(this.#world, this.#peer, this.#kubeProxy, zone);
      this.#report.add(RESYNC, KUBE_PROXY, [seconds], { size });
      this.#report.add(RESYNC_WRITES, KUBE_PROXY, [transactions], { size });
    }
  }

  async #inProcess(size: number): Promise<void> {
    say(`${size} services: without a cluster`);
    this.#ours.pause();
    this.#peer.pause();
    const figures = await measureInProcess(size).finally(() => {
      this.#ours.resume();
      this.#peer.resume();
    });
    // The first has no compiled code yet, and an agent loads once.
    this.#report.add(LOAD_WORK, OURS, figures.loads, { size });
    this.#report.add(LOAD_WORK, NFT, figures.nftLoads, { size });
    this.#report.add(CHANGE_WORK, OURS, figures.events, { size });
    this.#report.add(CHANGE_WORK, NFT, figures.nftChanges, { size });
    this.#report.add(RESYNC, OURS, figures.comparisons, { size });
    this.#report.add(RESYNC_WRITES, OURS, [figures.needlessTransactions], { size });
  }

  async #firstPackets(size: number): Promise<void> {
    say(`${size} services: new connections`);
    const paths = [
      [DIRECT, this.#world.path("direct"), "nothing"],
      [OURS, this.#ours.path, "services"],
      [KUBE_PROXY, this.#peer.path, "services"],
      [BY_HAND, this.#world.path("by-hand"), "services"],
    ] as const;
    await translateByHand(this.#world.path("by-hand").node, size);
    for (let round = 0; round <= CONNECTION_ROUNDS; round++) {
      for (const [name, path, through] of paths) {
        const seconds = await measureConnections(path, size, through, CONNECTIONS);
        // The first round warms caches and compilers.
        if (round > 0) this.#report.add(FIRST_PACKET, name, seconds, { size });
      }
    }
  }

  async #shortConnections(size: number): Promise<void> {
    say(`${size} services: short connections`);
    for (let round = 0; round < HTTP_ROUNDS; round++) {
      const direct = await measureShortConnections(this.#world.path("direct"), "nothing");
      this.#report.add(SHORT_CONNECTIONS, DIRECT, [direct], { size });
      for (const [name, path] of [
        [OURS, this.#ours.path],
        [KUBE_PROXY, this.#peer.path],
        [BY_HAND, this.#world.path("by-hand")],
      ] as const) {
        const rate = await measureShortConnections(path, "services");
        this.#report.add(SHORT_CONNECTIONS, name, [rate], { size });
      }
    }
  }

  /** Nodes that know only the first services: their programs are stopped, and their kernels keep them. */
  async prepareStalls(size: number): Promise<readonly StallTrial[]> {
    const trials = STALL_NODES.flatMap(([ours, peer]): readonly StallTrial[] => [
      [OURS, this.trial(ours), this.#selvedge],
      [KUBE_PROXY, this.trial(peer), this.#kubeProxy],
    ]);
    for (const [, trial, program] of trials) {
      await trial.load(program, 2 * size);
      await trial.settle();
      await trial.stop();
    }
    return trials;
  }

  async measureStalls(size: number, trials: readonly StallTrial[]): Promise<void> {
    await this.#ours.stop();
    await this.#peer.stop();
    for (const [name, trial, program] of trials) {
      say(`${size} services: load under connections, ${name}`);
      const { longestSeconds, failures } = await probeDuring(trial.path, async () => {
        await trial.load(program, 2 * size);
        await trial.settle();
      });
      if (failures > 0) throw new Error(`Cannot take a figure of ${name}: ${failures} connections failed`);
      this.#report.add(STALL, name, [longestSeconds], { size });
      await trial.stop();
      const idle = await probeDuring(trial.path, () => Bun.sleep(IDLE_MILLISECONDS));
      this.#report.add(STALL, "nothing loads", [idle.longestSeconds], { size });
    }
  }
}

async function main(): Promise<void> {
  const report = new Report("services", "Services: selvedge beside kube-proxy in nftables mode");
  report.arrange(LOAD, LOAD_WORK, CHANGE, CHANGE_FROM_WRITE, CHANGE_WORK, RESYNC, RESYNC_WRITES, KERNEL_MEMORY);
  const { "kube-proxy": kubeProxy } = await toolPaths("kube-proxy");
  report.version(KUBE_PROXY, /-(v[\d.]+)\//.exec(kubeProxy)?.[1] ?? "unknown");
  report.version(NFT, /v[\d.]+/.exec(run("nft", "--version"))?.[0] ?? "unknown");
  using selvedge = new Selvedge();
  await using world = await ServicesWorld.create(["direct", "ours", "peer", "by-hand", ...STALL_NODES.flat()]);
  const benchmark = new ServicesBenchmark(report, world, selvedge, kubeProxy);
  const [least = 0, greatest = 0] = [SIZES.at(0), SIZES.at(-1)];
  await world.grow(least);
  const stalls = await benchmark.prepareStalls(least);
  try {
    for (const size of SIZES) await benchmark.measureAt(size);
    await benchmark.measureStalls(greatest, stalls);
  } finally {
    report.finish(); // what was measured before something failed too
  }
}

await main();
