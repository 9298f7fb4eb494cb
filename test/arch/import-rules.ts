export interface Layer {
  /** A folder that ends in "/", or one file. The longest match speaks for a file. */
  readonly of: string;
  /** What it may import besides its own folder. */
  readonly may: readonly string[];
  readonly why: string;
}

const FOUNDATION = ["src/base/", "src/wire/", "src/network/"];
const SHARED = [
  ...FOUNDATION,
  "src/certificate/",
  "src/cli/",
  "src/kube/",
  "src/linux/",
  "src/strongswan/",
  "src/reconcile/",
];

/** Imports go one way. A folder that is not in this table fails the test: decide where it stands, then add it. */
export const LAYERS: readonly Layer[] = [
  { of: "src/base/", may: [], why: "it is what everything stands on" },
  { of: "src/wire/", may: ["src/base/"], why: "bytes and values only: usable in a test, a fuzzer or another program" },
  { of: "src/network/", may: ["src/base/", "src/wire/"], why: "the model is plain values, whoever fills them" },
  { of: "src/kube/", may: FOUNDATION, why: "an adapter of one outside thing knows no other adapter" },
  { of: "src/linux/", may: FOUNDATION, why: "an adapter of one outside thing knows no other adapter" },
  { of: "src/strongswan/", may: FOUNDATION, why: "an adapter of one outside thing knows no other adapter" },
  { of: "src/cli/", may: ["src/base/"], why: "how programs take words and print: the same for node and cloud" },
  {
    of: "src/certificate/",
    may: FOUNDATION,
    why: "X.509 is the same for the cloud that issues and the node that asks",
  },
  {
    of: "src/reconcile/",
    may: [...FOUNDATION, "src/kube/", "src/linux/", "src/strongswan/"],
    why: "the loop is the last shared layer below the programs",
  },
  { of: "edge/cache/", may: SHARED, why: "capabilities meet in edge/wiring, never in each other" },
  { of: "edge/service/", may: SHARED, why: "capabilities meet in edge/wiring, never in each other" },
  { of: "edge/dns/", may: SHARED, why: "capabilities meet in edge/wiring, never in each other" },
  { of: "edge/identity/", may: SHARED, why: "capabilities meet in edge/wiring, never in each other" },
  { of: "edge/pod/", may: SHARED, why: "capabilities meet in edge/wiring, never in each other" },
  { of: "edge/tunnel/", may: SHARED, why: "capabilities meet in edge/wiring, never in each other" },
  { of: "edge/status/", may: SHARED, why: "capabilities meet in edge/wiring, never in each other" },
  { of: "edge/join/", may: SHARED, why: "capabilities meet in edge/wiring, never in each other" },
  {
    of: "edge/cli/",
    may: [...SHARED, "edge/config/", "edge/config.ts", "edge/install/"],
    why: "commands speak to the agent over its socket, so they need its options and nothing of its inside",
  },
  {
    of: "edge/config.ts",
    may: ["src/base/", "edge/config/"],
    why: "settings are values: nothing starts by reading them",
  },
  { of: "edge/config/", may: ["src/base/"], why: "settings are values: nothing starts by reading them" },
  {
    of: "edge/install/",
    may: ["src/base/", "edge/config/"],
    why: "a node is installed by the program alone, nothing running",
  },
  { of: "edge/wiring/", may: ["src/", "edge/"], why: "the one place where capabilities meet" },
  { of: "edge/main.ts", may: ["src/", "edge/"], why: "the entry" },
  {
    of: "edge/program.ts",
    may: ["src/", "edge/"],
    why: "the entry of all but the CNI plugin, which starts without it",
  },
  { of: "edge/dns-program.ts", may: ["src/", "edge/"], why: "the entry of the thread of names" },
  { of: "cloud/node-agent/", may: SHARED, why: "capabilities meet in cloud/wiring, never in each other" },
  { of: "cloud/connector/", may: SHARED, why: "capabilities meet in cloud/wiring, never in each other" },
  { of: "cloud/global-services/", may: SHARED, why: "capabilities meet in cloud/wiring, never in each other" },
  { of: "cloud/join/", may: SHARED, why: "capabilities meet in cloud/wiring, never in each other" },
  {
    of: "cloud/cli/",
    may: [...SHARED, "cloud/operator/", "cloud/crds/"],
    why: "commands show what the operator's own plan says, made here from the same objects and definitions",
  },
  { of: "cloud/hub/", may: SHARED, why: "capabilities meet in cloud/wiring, never in each other" },
  { of: "cloud/operator/", may: SHARED, why: "capabilities meet in cloud/wiring, never in each other" },
  { of: "cloud/config.ts", may: ["src/base/"], why: "settings are values: nothing starts by reading them" },
  { of: "cloud/wiring/", may: ["src/", "cloud/"], why: "the one place where capabilities meet" },
  { of: "cloud/main.ts", may: ["src/", "cloud/"], why: "the entry" },
  {
    of: "scripts/",
    may: ["src/", "edge/install/", "test/lab/", "test/support/", "test/cluster/"],
    why: "developers' programs use the shared parts, not the agent's inside",
  },
  { of: "test/", may: ["src/", "edge/", "cloud/", "scripts/"], why: "tests may look everywhere" },
];

/** Files that no production file may import, each an end of the tree. */
export const ENTRIES: readonly string[] = ["edge/main.ts", "cloud/main.ts"];

export interface PackageRule {
  readonly name: string;
  readonly in: readonly string[];
  readonly why: string;
}

/** What comes from outside the tree, and where it may. `bun:*` and `node:*` are effects, see effect-rules.ts. */
export const PACKAGES: readonly PackageRule[] = [
  { name: "fast-check", in: ["test/"], why: "property tests" },
  { name: "dns2", in: ["edge/dns/", "test/"], why: "a codec off the hot path" },
  { name: "dns-packet", in: ["test/"], why: "an oracle" },
  { name: "ipaddr.js", in: ["test/"], why: "an oracle" },
  { name: "netlink", in: ["src/wire/", "src/linux/", "test/"], why: "rtnetlink's structures" },
  { name: "@kubernetes/client-node", in: ["src/kube/", "test/"], why: "kubeconfig and the object types" },
];
