import type { Clock } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import { formatCheck, isHealthy } from "../../src/cli/check-report.ts";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { formatDocument } from "../../src/cli/document-text.ts";
import { EXIT, type ExitCode } from "../../src/cli/exit-code.ts";
import { formatHelp } from "../../src/cli/help.ts";
import { coloured, type Paint, plain, printable } from "../../src/cli/table.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { NODES } from "../../src/kube/resource.ts";
import { formatCertificates, readCertificates } from "./certificate-report.ts";
import { checkCluster } from "./cluster-check.ts";
import { ClusterView } from "./cluster-view.ts";
import { PROGRAM } from "./commands.ts";
import { formatImages, reportImages } from "./image-report.ts";
import { findOperator } from "./installed-operator.ts";
import { formatNode, formatNodes, reportNodes } from "./node-report.ts";
import { type ClusterPlan, planCluster } from "./planned-cluster.ts";
import { planTopology } from "./topology.ts";
import { formatDot } from "./topology-dot.ts";
import { formatSvg } from "./topology-svg.ts";
import { DAEMON_SET_DECODER, DEPLOYMENT_DECODER, WORKLOAD_POD_DECODER } from "./workloads.ts";

/** Everything outside that these commands touch. */
export interface CloudCliIo {
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether people look at standard output. */
  readonly terminal: boolean;
  readonly out: (text: string) => Promise<void>;
  readonly err: (text: string) => void;
  /** @param kubeconfig empty: to be found. @throws SelvedgeError SOURCE_CONFIG */
  readonly open: (kubeconfig: string, context: string | undefined) => Promise<KubeClient>;
}

interface Invocation {
  readonly io: CloudCliIo;
  readonly cluster: ClusterView;
  readonly flags: ReadonlyMap<string, string>;
  readonly names: readonly string[];
  readonly paint: Paint;
}

export const EXECUTORS: Readonly<Record<string, (invocation: Invocation) => Promise<ExitCode>>> = {
  nodes: showNodes,
  topology: showTopology,
  certs: showCertificates,
  check: showCheck,
  images: showImages,
};

const API_VERSION = "selvedge.io/v1";
const LOOK_AGAIN = seconds(2);

const BY_ERROR: Readonly<Record<string, ExitCode>> = {
  KUBE_UNREACHABLE: EXIT.unreachable,
  KUBE_UNTRUSTED: EXIT.unreachable,
  KUBE_UNAVAILABLE: EXIT.again,
  KUBE_BUSY: EXIT.again,
  KUBE_FORBIDDEN: EXIT.permission,
  KUBE_UNAUTHORIZED: EXIT.permission,
  KUBE_CREDENTIALS: EXIT.config,
  SOURCE_CONFIG: EXIT.config,
  OPERATOR_UNREADABLE: EXIT.config,
};

/** Whether the words are for one of these commands. */
export function isCliCommand(words: readonly string[]): boolean {
  return PROGRAM.commands.some((command) => command.words[0] === words[0]);
}

/** @returns the exit status. Data goes to standard output, everything else to standard error. */
export async function runCloudCli(words: readonly string[], io: CloudCliIo): Promise<number> {
  const parsed = parseCommandLine(PROGRAM, words);
  if (!parsed.ok || parsed.value.kind === "version") {
    io.err(`${printable(parsed.ok ? "" : parsed.error)}\nSee "${PROGRAM.name} --help".\n`);
    return EXIT.usage.code;
  }
  if (parsed.value.kind === "help") {
    if (parsed.value.command !== undefined) await io.out(formatHelp(PROGRAM, parsed.value.command));
    return EXIT.ok.code;
  }
  const { command, flags, arguments: names } = parsed.value;
  try {
    const client = await io.open(flags.get("kubeconfig") ?? "", flags.get("context"));
    const cluster = new ClusterView(client, flags.get("namespace") ?? "fabedge", io.clock);
    const execute = EXECUTORS[command.words.join(" ")];
    if (execute === undefined) throw new Error(`Cannot run "${command.words.join(" ")}": nothing does it`);
    return (await execute({ io, cluster, flags, names, paint: paintFor(io, flags) })).code;
  } catch (error) {
    const hint = error instanceof SelvedgeError ? error.hint : undefined;
    io.err(`${printable(errorText(error))}\n${hint === undefined ? "" : `${printable(hint)}\n`}`);
    return (BY_ERROR[errorCode(error)] ?? EXIT.failed).code;
  }
}

/** https://no-color.org: any text in NO_COLOR means none. */
function paintFor({ environment, terminal }: CloudCliIo, flags: ReadonlyMap<string, string>): Paint {
  const { NO_COLOR, TERM } = environment;
  return terminal && flags.get("no-color") !== "true" && !NO_COLOR && TERM !== "dumb" ? coloured : plain;
}

async function readPlan(cluster: ClusterView): Promise<ClusterPlan> {
  return await planCluster((await findOperator(cluster)).options.settings, cluster);
}

async function print(
  { io, flags }: Invocation,
  kind: string,
  items: readonly object[],
  table: () => string,
): Promise<void> {
  await io.out(formatDocument(flags.get("output"), { apiVersion: API_VERSION, kind, items }, table));
}

async function showNodes(invocation: Invocation): Promise<ExitCode> {
  const { io, cluster, flags, names, paint } = invocation;
  const labelSelector = flags.get("selector");
  const [plan, selected] = await Promise.all([
    readPlan(cluster),
    labelSelector === undefined
      ? undefined
      : cluster.entries({ resource: NODES, decode: () => ({ ok: true, value: true }) }, { labelSelector }),
  ]);
  const reports = reportNodes(plan)
    .filter(({ role }) => flags.get("edge-only") !== "true" || role === "edge")
    .filter(({ name }) => selected?.has(name) ?? true)
    .filter(({ name }) => names.length === 0 || names.includes(name));
  const found = new Set(reports.map(({ name }) => name));
  const lacking = names.filter((name) => !found.has(name));
  if (reports.length > 0) {
    await print(invocation, "NodeReportList", reports, () =>
      names.length === 0 ? formatNodes(reports, paint) : reports.map((each) => formatNode(each, paint)).join("\n"),
    );
  }
  for (const name of lacking) io.err(`There is no such node "${printable(name)}".\n`);
  if (reports.length === 0 && lacking.length === 0) io.err("There are no such nodes.\n");
  return lacking.length > 0 ? EXIT.failed : EXIT.ok;
}

async function showTopology({ io, cluster, flags }: Invocation): Promise<ExitCode> {
  const topology = planTopology(await readPlan(cluster));
  const format = flags.get("output") ?? "svg";
  if (format === "json") {
    await io.out(`${JSON.stringify({ apiVersion: API_VERSION, kind: "Topology", ...topology }, null, 2)}\n`);
  } else await io.out(format === "dot" ? formatDot(topology) : formatSvg(topology));
  return EXIT.ok;
}

async function showCertificates(invocation: Invocation): Promise<ExitCode> {
  const { io, cluster, paint } = invocation;
  const operator = await findOperator(cluster);
  const plan = await planCluster(operator.options.settings, cluster);
  const { reports, problems } = await readCertificates(cluster, operator, plan, io.clock.wall());
  await print(invocation, "CertificateReportList", reports, () => formatCertificates(reports, paint));
  for (const { message, hint } of problems) io.err(`${printable(message)}.\n${printable(hint)}\n`);
  return reports.every(({ valid }) => valid) ? EXIT.ok : EXIT.unhealthy;
}

async function showCheck(invocation: Invocation): Promise<ExitCode> {
  const { io, cluster, flags, paint } = invocation;
  const wait = flags.get("wait") ?? "0";
  if (!/^\d{1,4}$/.test(wait)) {
    io.err(`Cannot wait as --wait takes seconds: current value is ${JSON.stringify(printable(wait))}.\n`);
    return EXIT.usage;
  }
  const deadline = io.clock.now() + seconds(Number(wait));
  const look = () => checkCluster(cluster, io.clock.wall(), flags.get("installation") === "true");
  let results = await look();
  while (!isHealthy(results) && io.clock.now() < deadline) {
    await new Promise<void>((resolve) => io.clock.after(LOOK_AGAIN, resolve));
    results = await look();
  }
  const healthy = isHealthy(results);
  const report = { apiVersion: API_VERSION, kind: "CheckReport", healthy, items: results };
  await io.out(formatDocument(invocation.flags.get("output"), report, () => formatCheck(results, paint)));
  return healthy ? EXIT.ok : EXIT.unhealthy;
}

async function showImages(invocation: Invocation): Promise<ExitCode> {
  const { cluster } = invocation;
  const { namespace } = cluster;
  const decoders = [DEPLOYMENT_DECODER, DAEMON_SET_DECODER, WORKLOAD_POD_DECODER];
  const workloads = await Promise.all(decoders.map((decoder) => cluster.list(decoder, { namespace })));
  const reports = reportImages(workloads.flat());
  await print(invocation, "ImageReportList", reports, () => formatImages(reports));
  return EXIT.ok;
}
