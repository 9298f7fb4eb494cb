import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Frontend } from "../../edge/service/frontend.ts";
import { FrontendRegistry } from "../../edge/service/frontend-registry.ts";
import { NftablesApplier } from "../../edge/service/nftables-applier.ts";
import { openNftables } from "../../edge/service/open-nftables.ts";
import { planFrontends } from "../../edge/service/plan.ts";
import { ServiceMetrics } from "../../edge/service/service-metrics.ts";
import { ServiceProxy } from "../../edge/service/service-proxy.ts";
import { Health } from "../../src/base/health.ts";
import { ipFromBytes } from "../../src/base/ip.ts";
import { Log } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { Scope } from "../../src/base/scope.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { SystemClock } from "../../src/linux/system-clock.ts";
import type { EndpointSlice } from "../../src/network/endpoint.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import { ServiceIndex, type ServiceView } from "../../src/network/service-index.ts";
import { namespaceCommand, run } from "../support/in-namespace.ts";
import { makeEndpoint, makeService } from "../support/network-objects.ts";

/**
 * What it takes to bring 10,000 services with 2 endpoints each into the kernel, and to change one of them: by us, and
 * by the `nft` program with the same ruleset, in the same run and in a network namespace of its own. Ours runs under
 * bun, not compiled; plans are included.
 *
 * test/bench/services.ts [--json] [--services N] [--rounds N]
 */
const INSIDE = "SELVEDGE_TEST_NAMESPACE";
const NODE = { name: "node1", zone: undefined };
const CHANGES = 2000;
const PEER_CHANGES = 200;
const PEER_ROUNDS = 3;

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}

const SERVICES = option("services", 10_000);
const ROUNDS = option("rounds", 5);

/** @param shift of the endpoints: another one gives the service other endpoints */
function view(i: number, shift = 0): ServiceView & { readonly slices: readonly [EndpointSlice] } {
  const address = (network: number) => ipFromBytes(Uint8Array.of(10, network, i >> 8, i & 255));
  const key = `ns-${i % 100}/svc-${i}`;
  const service = makeService(key, { clusterIps: [address(96)] });
  const list = [1, 2].map((n) => makeEndpoint(address(128 + n + shift), { nodeName: "node2" }));
  const ports = [{ name: "http", protocol: "TCP" as const, port: 8080 }];
  const slice = { namespace: service.namespace, name: `${service.name}-1`, service: service.name };
  return { key, service, slices: [{ ...slice, family: 4, ports, endpoints: list }] };
}

function plan(registry: FrontendRegistry, one: ServiceView): Map<ObjectKey, readonly Frontend[]> {
  return registry.update(one.key, one.service.created, planFrontends(one, NODE));
}

function newApplier(): { readonly applier: NftablesApplier; readonly commits: number[] } {
  const commits: number[] = [];
  const applier = new NftablesApplier(new Nftables(), {
    families: [4, 6],
    settings: () => ({ linkName: "selvedge0", linkAddresses: [], clusterCidrs: [], bridges: [] }),
    onChanged: () => {},
    onCommit: (seconds) => commits.push(seconds * 1000),
    now: () => performance.now(),
    onLargeCommit: () => {},
  });
  return { applier, commits };
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

async function timed(work: () => Promise<unknown> | unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function slabMegabytes(): number {
  const line = /^Slab:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"));
  return Number(line?.[1] ?? 0) / 1024;
}

interface Load {
  readonly milliseconds: number;
  readonly kernelMilliseconds: number;
  readonly registry: FrontendRegistry;
  readonly applier: NftablesApplier;
}

async function load(views: readonly ServiceView[]): Promise<Load> {
  run("nft", "flush", "ruleset");
  const registry = new FrontendRegistry();
  const { applier, commits } = newApplier();
  const milliseconds = await timed(() => {
    for (const one of views) plan(registry, one);
    return applier.apply(registry.all());
  });
  return { milliseconds, kernelMilliseconds: commits[0] ?? 0, registry, applier };
}

async function measureOurs() {
  const views = Array.from({ length: SERVICES }, (_, i) => view(i));
  run("nft", "flush", "ruleset");
  const slabBefore = slabMegabytes();
  const first = await load(views);
  const slab = slabMegabytes() - slabBefore;
  await first.applier.close();

  const loads: Load[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    await loads.at(-1)?.applier.close();
    loads.push(await load(views));
  }
  const { registry, applier } = loads.at(-1) ?? first;
  // What the loads left behind is none of the changes' business: an agent loads once.
  Bun.gc(true);
  const changes: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const changed = view((i * 7919) % SERVICES, 1 + (i % 2));
    changes.push(await timed(() => applier.apply(plan(registry, changed))));
  }
  const resync = await timed(() => applier.resync());
  // Somebody else's transaction makes us compare everything.
  run("nft", "add", "table", "ip", "foreign");
  const compare = await timed(() => applier.resync());
  const second = newApplier();
  const adopt = await timed(() => second.applier.apply(registry.all()));
  return {
    firstLoad: first.milliseconds,
    firstKernel: first.kernelMilliseconds,
    load: quantile(
      loads.map((l) => l.milliseconds),
      0.5,
    ),
    kernel: quantile(
      loads.map((l) => l.kernelMilliseconds),
      0.5,
    ),
    changeP50: quantile(changes, 0.5),
    changeP99: quantile(changes, 0.99),
    resync,
    compare,
    adopt,
    adoptWrites: second.commits.length,
    slab,
  };
}

function sliceChange(i: number, shift = 0): ObjectChange {
  const { key, slices } = view(i, shift);
  return { kind: "EndpointSlice", key: `${key}-1`, value: slices[0] };
}

/** A change as the agent has it: from the source's event to what the kernel committed. */
async function measureWhole() {
  run("nft", "flush", "ruleset");
  const scope = new Scope();
  const clock = new SystemClock();
  const log = new Log(() => {}, "error");
  const health = new Health(
    () => clock.wall(),
    () => {},
  );
  const metrics = new ServiceMetrics(new Metrics("selvedge"));
  const link = () => ({ name: "selvedge0", addresses: [] });
  const options = { link, clusterCidrs: [], metrics, log, health, now: () => clock.now() };
  const open = (resync: () => void) => openNftables(options, resync);
  const proxy = new ServiceProxy({
    mode: "nftables",
    node: NODE,
    open: { nftables: open, userspace: open },
    clock,
    random: Math.random,
    log,
    health,
    metrics,
    scope,
  });
  const index = new ServiceIndex();
  const everything: ObjectChange[] = [];
  for (let i = 0; i < SERVICES; i++) {
    const { key, service } = view(i);
    everything.push({ kind: "Service", key, value: service }, sliceChange(i));
  }
  await proxy.update(index, index.apply(everything));
  const changes: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const change = sliceChange((i * 7919) % SERVICES, 1 + (i % 2));
    changes.push(await timed(() => proxy.update(index, index.apply([change]))));
  }
  const { failure } = proxy.status();
  if (failure !== undefined) throw new Error(failure);
  await scope.close();
  return { p50: quantile(changes, 0.5), p99: quantile(changes, 0.99) };
}

/** The ruleset that we left, as `nft` lists it, without the few rules that nft 1.0.6 lists and cannot read. */
async function measurePeer(directory: string) {
  const file = join(directory, "ruleset.nft");
  const listed = run("nft", "list", "ruleset");
  writeFileSync(
    file,
    listed
      .split("\n")
      .filter((line) => !line.includes("ct original"))
      .join("\n"),
  );
  const loads: number[] = [];
  for (let i = 0; i < PEER_ROUNDS; i++) {
    run("nft", "flush", "ruleset");
    loads.push(await timed(() => run("nft", "-f", file)));
  }
  const changes: number[] = [];
  for (let i = 0; i < PEER_CHANGES; i++) {
    const [a, b] = [i >> 8, i & 255];
    const key = `10.96.${a}.${b} . tcp . 80 . 0`;
    const commands = `delete element ip selvedge endpoints { ${key} }; add element ip selvedge endpoints { ${key} : 10.140.${a}.${b} . 8080 }`;
    changes.push(await timed(() => run("nft", commands)));
  }
  return { load: quantile(loads, 0.5), changeP50: quantile(changes, 0.5), changeP99: quantile(changes, 0.99) };
}

async function measure(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "selvedge-bench-"));
  try {
    const ours = await measureOurs();
    const whole = await measureWhole();
    const nft = await measurePeer(directory);
    if (process.argv.includes("--json")) {
      console.log(JSON.stringify({ services: SERVICES, endpointsPerService: 2, ours, whole, nft }));
      return;
    }
    const row = (name: string, a: string, b = "") =>
      console.log(`  ${name.padEnd(46)}${a.padStart(12)}${b.padStart(12)}`);
    const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
    console.log(`${SERVICES} services × 2 endpoints, plans included`);
    row("", "selvedge", "nft");
    row("load, first time in the process", ms(ours.firstLoad));
    row("  of this, the kernel", ms(ours.firstKernel));
    row("load, median", ms(ours.load), ms(nft.load));
    row("  of this, the kernel", ms(ours.kernel));
    row("one endpoint changes, plan and kernel, median", ms(ours.changeP50), ms(nft.changeP50));
    row("one endpoint changes, plan and kernel, p99", ms(ours.changeP99), ms(nft.changeP99));
    row("  from the source's event on, median", ms(whole.p50), ms(nft.changeP50));
    row("  from the source's event on, p99", ms(whole.p99), ms(nft.changeP99));
    row("resync, nothing written by anybody", ms(ours.resync));
    row("resync, after somebody else's transaction", ms(ours.compare));
    row(`take over after a restart (${ours.adoptWrites} transactions)`, ms(ours.adopt));
    row("kernel memory", `${ours.slab.toFixed(1)} MB`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (process.env[INSIDE] === "1") await measure();
else {
  const { command, env } = namespaceCommand([process.execPath, ...process.argv.slice(1)]);
  const inside = Bun.spawn(command, { env: { ...process.env, ...env }, stdout: "inherit", stderr: "inherit" });
  process.exitCode = await inside.exited;
}
