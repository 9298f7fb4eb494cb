import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Frontend } from "../../../edge/service/frontend.ts";
import { FrontendRegistry } from "../../../edge/service/frontend-registry.ts";
import { NftablesApplier } from "../../../edge/service/nftables-applier.ts";
import { openNftables } from "../../../edge/service/open-nftables.ts";
import { planFrontends } from "../../../edge/service/plan.ts";
import { ServiceMetrics } from "../../../edge/service/service-metrics.ts";
import { ServiceProxy } from "../../../edge/service/service-proxy.ts";
import { Health } from "../../../src/base/health.ts";
import { ipFromBytes } from "../../../src/base/ip.ts";
import { Log } from "../../../src/base/log.ts";
import { Metrics } from "../../../src/base/metrics.ts";
import { Scope } from "../../../src/base/scope.ts";
import { Nftables } from "../../../src/linux/nftables.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import type { EndpointSlice } from "../../../src/network/endpoint.ts";
import type { ObjectChange } from "../../../src/network/object-change.ts";
import type { ObjectKey } from "../../../src/network/service.ts";
import { ServiceIndex, type ServiceView } from "../../../src/network/service-index.ts";
import { namespaceCommand, run } from "../../support/in-namespace.ts";
import { makeEndpoint, makeService } from "../../support/network-objects.ts";

/**
 * What services with 2 endpoints each cost without a cluster around them: our planning and kernel work, called from
 * outside and not compiled, and the `nft` program with the same ruleset. All in seconds.
 */
export interface InProcess {
  /** Of everything, the plan included. The first has no compiled code yet. */
  readonly loads: readonly number[];
  /** Of these, the transactions. */
  readonly transactions: readonly number[];
  /** One endpoint of one service becomes another: plan and kernel. */
  readonly changes: readonly number[];
  /** The same from the source's event on: index, plan and kernel. */
  readonly events: readonly number[];
  /** Nobody wrote anything since. */
  readonly resyncs: readonly number[];
  /** Somebody else's transaction came in between: everything is read and compared. */
  readonly comparisons: readonly number[];
  /** How many transactions the resyncs, comparisons and one take-over by a new process made. */
  readonly needlessTransactions: number;
  readonly nftLoads: readonly number[];
  readonly nftChanges: readonly number[];
}

const NODE = { name: "node1", zone: undefined, addresses: [] };
const ROUNDS = 5;
const CHANGES = 2000;
const NFT_ROUNDS = 3;
const NFT_CHANGES = 200;
/** Coprime to the numbers of services: changes go through all of them in no order. */
const STRIDE = 7919;

/** Runs in a network namespace of its own. */
export async function measureInProcess(services: number): Promise<InProcess> {
  const { command, env } = namespaceCommand([process.execPath, import.meta.path, String(services)]);
  const child = Bun.spawn(command, { env: { ...process.env, ...env }, stdout: "pipe", stderr: "inherit" });
  return JSON.parse(await child.stdout.text());
}

/** Change number i: which service, and the shift of its endpoints, which it did not have before. */
function changeOf(i: number, services: number): readonly [service: number, shift: number] {
  return [(i * STRIDE) % services, 1 + (Math.floor(i / services) % 2)];
}

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

function newApplier(commits: number[]): NftablesApplier {
  return new NftablesApplier(new Nftables(), {
    families: [4, 6],
    settings: () => ({
      linkName: "selvedge0",
      linkAddresses: [],
      clusterCidrs: [],
      dnsPort: 53,
      dnsLimited: true,
      bridges: [],
    }),
    onChanged: () => {},
    onCommit: (seconds) => commits.push(seconds),
    now: () => performance.now(),
    onLargeCommit: () => {},
  });
}

async function timed(work: () => Promise<unknown> | unknown): Promise<number> {
  const start = Bun.nanoseconds();
  await work();
  return (Bun.nanoseconds() - start) / 1e9;
}

async function measureParts(services: number): Promise<Omit<InProcess, "events" | "nftLoads" | "nftChanges">> {
  const views = Array.from({ length: services }, (_, i) => view(i));
  const [loads, transactions]: [number[], number[]] = [[], []];
  let registry = new FrontendRegistry();
  let commits: number[] = [];
  let applier = newApplier(commits);
  for (let round = 0; round < ROUNDS; round++) {
    await applier.close();
    run("nft", "flush", "ruleset");
    registry = new FrontendRegistry();
    commits = [];
    applier = newApplier(commits);
    loads.push(
      await timed(() => {
        for (const one of views) plan(registry, one);
        return applier.apply(registry.all());
      }),
    );
    transactions.push(commits.reduce((sum, one) => sum + one, 0));
  }
  // What the loads left behind is none of the changes' business: an agent loads once.
  Bun.gc(true);
  const changes: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const changed = view(...changeOf(i, services));
    changes.push(await timed(() => applier.apply(plan(registry, changed))));
  }
  const before = commits.length;
  const [resyncs, comparisons]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    run("nft", "add", "table", "ip", `foreign-${round}`);
    comparisons.push(await timed(() => applier.resync()));
    resyncs.push(await timed(() => applier.resync()));
  }
  const next = newApplier(commits);
  await next.apply(registry.all());
  await next.close();
  await applier.close();
  return { loads, transactions, changes, resyncs, comparisons, needlessTransactions: commits.length - before };
}

function sliceChange(i: number, shift = 0): ObjectChange {
  const { key, slices } = view(i, shift);
  return { kind: "EndpointSlice", key: `${key}-1`, value: slices[0] };
}

async function measureEvents(services: number): Promise<readonly number[]> {
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
  const options = { link, clusterCidrs: [], dnsPort: 53, metrics, log, health, now: () => clock.now() };
  const open = (resync: () => void) => openNftables(options, resync);
  const modes = { nftables: open, userspace: open };
  const random = Math.random;
  const proxy = new ServiceProxy({
    mode: "nftables",
    node: NODE,
    open: modes,
    clock,
    random,
    log,
    health,
    metrics,
    scope,
  });
  const index = new ServiceIndex();
  const everything: ObjectChange[] = [];
  for (let i = 0; i < services; i++) {
    const { key, service } = view(i);
    everything.push({ kind: "Service", key, value: service }, sliceChange(i));
  }
  await proxy.update(index, index.apply(everything));
  const changes: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const change = sliceChange(...changeOf(i, services));
    changes.push(await timed(() => proxy.update(index, index.apply([change]))));
  }
  const { failure } = proxy.status();
  if (failure !== undefined) throw new Error(failure);
  await scope.close();
  return changes;
}

/** The ruleset that we left, as `nft` lists it, without the few rules that nft 1.0.6 lists and cannot read. */
async function measureNft(services: number): Promise<Pick<InProcess, "nftLoads" | "nftChanges">> {
  const directory = mkdtempSync(join(tmpdir(), "selvedge-bench-"));
  try {
    const file = join(directory, "ruleset.nft");
    const listed = run("nft", "list", "ruleset").split("\n");
    writeFileSync(file, listed.filter((line) => !line.includes("ct original")).join("\n"));
    const nftLoads: number[] = [];
    for (let i = 0; i < NFT_ROUNDS; i++) {
      run("nft", "flush", "ruleset");
      nftLoads.push(await timed(() => run("nft", "-f", file)));
    }
    const nftChanges: number[] = [];
    for (let i = 0; i < NFT_CHANGES; i++) {
      const service = i % services;
      const [a, b] = [service >> 8, service & 255];
      const key = `10.96.${a}.${b} . tcp . 80 . 0`;
      const element = `element ip selvedge endpoints { ${key}`;
      const commands = `delete ${element} }; add ${element} : 10.140.${a}.${b} . 8080 }`;
      nftChanges.push(await timed(() => run("nft", commands)));
    }
    return { nftLoads, nftChanges };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (import.meta.main) {
  const services = Number(process.argv[2]);
  const parts = await measureParts(services);
  const events = await measureEvents(services);
  console.log(JSON.stringify({ ...parts, events, ...(await measureNft(services)) }));
}
