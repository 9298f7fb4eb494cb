import { namespaceCommand } from "../test/support/in-namespace.ts";

export type Step = Program | TestRun;

/** One test, passed when it exits 0. */
export interface Program {
  readonly kind: "program";
  readonly command: readonly string[];
}

/** Counts its tests. */
export interface TestRun {
  readonly kind: "test run";
  /** Takes files and folders of tests as further words. */
  readonly command: readonly string[];
  readonly paths: readonly string[];
  /** How many files at a time, one unless given. */
  readonly parallel?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** What the machine lacks for a tier, as one clause, or nothing. */
type Lack = () => string | undefined;

export interface Tier {
  readonly name: string;
  /** What it compares with what. */
  readonly about: string;
  /** Run before the steps; each has to exit 0, or `leaveOutStatus`, which leaves the tier out. */
  readonly preparations: readonly (readonly string[])[];
  readonly lacks: Lack;
  readonly steps: () => readonly Step[];
  /** How many steps at a time, one unless given; what they print comes step by step. */
  readonly atOnce?: number;
  /**
   * It waits for a kernel and for programs, on a machine that may be busy with something else: a file that fails runs
   * once more, by itself. One that passes then is told of as unsteady, which is a defect of the test or of the product.
   */
  readonly secondTry?: boolean;
  /** It needs nothing but processors, and waits for nothing: it runs beside the others, on what they leave idle. */
  readonly beside?: boolean;
}

/** EX_UNAVAILABLE of sysexits.h: scripts/tools says with it that there is no Go. */
export const UNAVAILABLE = 69;

/** Bun gives up a test after 5 s unless told, which a busy machine may need for one that waits on the kernel. */
const TEST = [process.execPath, "test", "--timeout=120000"];

/**
 * Faults that have the machine for themselves: their criteria are times of a few seconds and shares of a processor, or
 * they take from all of the machine (full-tables: the kernel has one table of neighbours).
 */
const LONELY_FAULTS = [
  ...["charon", "clock-jump", "descriptor-exhaustion", "dns-flood", "flushed-table", "full-tables", "long-absence"],
  ...["memory-pressure", "reboot-offline", "stalled-loop", "tunnel-failover", "uplink-change"],
].map((fault) => `./test/faults/${fault}.test.ts`);

export const TIERS: readonly Tier[] = [
  {
    name: "check",
    about: "style, types, and the rules of the house",
    preparations: [],
    lacks: nothing,
    steps: () => [
      { command: ["node_modules/.bin/biome", "check"], kind: "program" },
      { command: ["node_modules/.bin/tsc", "--noEmit"], kind: "program" },
      testRun(["./test/arch"]),
    ],
  },
  {
    name: "unit",
    about: "each module by itself",
    preparations: [],
    lacks: nothing,
    steps: () => [testRun(["./test/unit"])],
  },
  {
    name: "contract",
    about: "each adapter against the real kernel, a file in its own namespaces",
    preparations: [["scripts/setup", "contract"]],
    lacks: namespaces,
    steps: () => filesOf("test/contract").map(testRunInNamespace),
    // They share nothing but processors, and mostly wait.
    atOnce: 3,
    secondTry: true,
  },
  {
    name: "system",
    about: "the compiled programs in the lab",
    preparations: [
      ["scripts/setup", "system"],
      ["scripts/build", "x64"],
    ],
    lacks: namespaces,
    // Each file has a lab of its own.
    steps: () => [testRun(["./test/system"], 3)],
    secondTry: true,
  },
  {
    name: "faults",
    about: "the compiled agent and what breaks such agents",
    preparations: [
      ["scripts/setup", "system"],
      ["scripts/build", "x64"],
    ],
    lacks: namespaces,
    // The others mostly wait, for 90 s of silence, a minute until a sync, pauses that grow; each in a lab of its own.
    steps: () => [
      testRun(
        filesOf("test/faults").filter((file) => !LONELY_FAULTS.includes(file)),
        4,
      ),
      testRun(LONELY_FAULTS),
    ],
    secondTry: true,
  },
  {
    name: "cluster",
    about: "the compiled agent, a real API server, and KubeEdge",
    preparations: [
      ["scripts/setup", "cluster"],
      [
        "scripts/tools",
        "etcd",
        "kube-apiserver",
        "kubectl",
        "kube-proxy",
        "helm",
        "edgecore",
        "cloudcore",
        "edgecore-1.15",
        "cnitool",
      ],
      ["scripts/build", "x64"],
    ],
    lacks: namespaces,
    // Each file has a lab and an API server of its own, and mostly waits.
    steps: () => [testRun(["./test/cluster"], 3)],
    secondTry: true,
  },
  {
    name: "machine",
    about: "the arm64 agent on an emulated Cortex-A53",
    preparations: [
      ["scripts/setup", "machine"],
      ["scripts/build", "x64"],
      ["scripts/build", "arm64"],
    ],
    lacks: namespaces,
    // Emulated machines are slow, and their tests wait for them.
    steps: () => [testRun(["./test/machine"], 2)],
    secondTry: true,
  },
  {
    name: "fuzz",
    about: "the decoders against bytes that nobody meant",
    preparations: [],
    lacks: nothing,
    steps: () => [testRun(["./test/fuzz"])],
    beside: true,
  },
];

function testRun(paths: readonly string[], parallel = 1): TestRun {
  return { kind: "test run", command: TEST, paths, parallel };
}

function testRunInNamespace(file: string): TestRun {
  return { kind: "test run", ...namespaceCommand(TEST), paths: [file] };
}

function filesOf(folder: string): readonly string[] {
  return [...new Bun.Glob(`${folder}/**/*.test.ts`).scanSync()].sort().map((file) => `./${file}`);
}

function nothing(): undefined {}

function namespaces(): string | undefined {
  const { exitCode, stderr } = Bun.spawnSync(["unshare", "--net", "--mount", "--pid", "--fork", "true"]);
  return exitCode === 0 ? undefined : `this machine makes no namespaces (${stderr.toString().trim()})`;
}
