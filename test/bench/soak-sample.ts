import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type ProcessSample, sampleProcess, slabBytes } from "./process-sample.ts";
import type { LoadWindow, SoakWorld } from "./soak-world.ts";

/** One moment of a soak: the agent, what it left in the kernel and on disk, and how its clients fared. */
export interface SoakSample extends ProcessSample {
  readonly seconds: number;
  readonly databaseBytes: number;
  /** The write-ahead log beside it. */
  readonly walBytes: number;
  readonly slabBytes: number;
  /** Of the agent's own tables, services and endpoints alike. */
  readonly elements: number;
  readonly connectionsTracked: number;
  readonly eventLoopLagSeconds: number;
  readonly cachedAnswers: number;
  /** The client's windows since the last sample. */
  readonly load: readonly LoadWindow[];
}

const METRICS_URL = "http://127.0.0.1:10560/metrics";
const OBSERVE = `curl -sS ${METRICS_URL}; cat /proc/sys/net/netfilter/nf_conntrack_count; nft -j list ruleset`;

/** @param seconds since the start */
export async function takeSample(world: SoakWorld, seconds: number): Promise<SoakSample> {
  const load = world.takeLoad();
  const lines = (await world.edge.edge.output(["sh", "-euc", OBSERVE])).trim().split("\n");
  const ruleset = lines.at(-1) ?? "";
  const metrics = lines.slice(0, -2);
  const sizes = Object.fromEntries(
    readdirSync(world.edge.stateDir).map((file) => [file, statSync(join(world.edge.stateDir, file)).size]),
  );
  return {
    seconds,
    ...sampleProcess(world.agent.pid),
    databaseBytes: sizes["cache.db"] ?? 0,
    walBytes: sizes["cache.db-wal"] ?? 0,
    slabBytes: slabBytes(),
    elements: countElements(ruleset),
    connectionsTracked: Number(lines.at(-2)),
    eventLoopLagSeconds: metric(metrics, "selvedge_event_loop_lag_seconds"),
    cachedAnswers: metric(metrics, "selvedge_dns_cache_entries"),
    load,
  };
}

/** The greatest of its samples: one for each thread, where there are several. */
function metric(lines: readonly string[], name: string): number {
  const own = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return Math.max(...own.map((line) => Number(line.split(" ").at(-1))));
}

interface Listed {
  readonly map?: { readonly elem?: readonly unknown[] };
  readonly set?: { readonly elem?: readonly unknown[] };
}

function countElements(ruleset: string): number {
  const { nftables }: { readonly nftables: readonly Listed[] } = JSON.parse(ruleset);
  return nftables.reduce((sum, { map, set }) => sum + (map?.elem?.length ?? 0) + (set?.elem?.length ?? 0), 0);
}
