import { seconds } from "../../../src/base/duration.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { ENDPOINT_PORT, endpointAddress, SERVICE_PORT, serviceAddress } from "./bench-services.ts";
import type { Probe } from "./connector.ts";
import { monotonicSeconds } from "./native.ts";
import type { KubeProxy } from "./node-program.ts";
import type { NodeTrial } from "./node-trial.ts";
import type { ServicePath } from "./service-path.ts";
import type { ServicesWorld } from "./services-world.ts";

const API_SERVER_PORT = 6443;
const CHANGE_TIMEOUT_SECONDS = 60;
/** The observer comes to wait meanwhile; where that was too short, it says so. */
const OBSERVER_MILLISECONDS = 10;
const RESYNC_TIMEOUT = seconds(300);
const PROBED_SERVICES = 10;
const HTTP_CONNECTIONS = 16;
const HTTP_SECONDS = 2;

export interface Changes {
  readonly fromEvent: readonly number[];
  readonly fromWrite: readonly number[];
}

export interface ChangePlan {
  /** So many, unless the time is over before. */
  readonly count: number;
  readonly timeSeconds: number;
  /** From one to the next. */
  readonly pauseMilliseconds: number;
}

/** One endpoint of one service becomes another, again and again. */
export async function measureChanges(
  world: ServicesWorld,
  { path }: NodeTrial,
  { count, timeSeconds, pauseMilliseconds }: ChangePlan,
): Promise<Changes> {
  const [fromEvent, fromWrite]: [number[], number[]] = [[], []];
  const end = monotonicSeconds() + timeSeconds;
  while (fromEvent.length < count && monotonicSeconds() < end) {
    const { address, slice } = world.nextChange();
    await Bun.sleep(pauseMilliseconds);
    const expected = { address, sourcePort: API_SERVER_PORT, timeoutSeconds: CHANGE_TIMEOUT_SECONDS };
    await path.observer.ask("listen", null);
    const seen = path.observer.ask("change", expected);
    await Bun.sleep(OBSERVER_MILLISECONDS);
    const [change, writtenAt] = await Promise.all([seen, world.replace(slice)]);
    if (change === null) continue;
    fromEvent.push(change.committedAt - change.eventAt);
    fromWrite.push(change.committedAt - writtenAt);
  }
  return { fromEvent, fromWrite };
}

/** kube-proxy plans and writes everything again when its node comes to another zone. */
export async function measureFullSync(
  world: ServicesWorld,
  trial: NodeTrial,
  program: KubeProxy,
  zone: string,
): Promise<{ readonly seconds: number; readonly transactions: number }> {
  const { node, observer } = trial.path;
  const [before, generation] = [await program.fullSyncs(node), await observer.ask("generation", null)];
  await world.moveNode(node.name, zone);
  const after = await waitFor(
    "a full synchronisation of kube-proxy",
    async () => {
      const syncs = await program.fullSyncs(node);
      return syncs.count > before.count && syncs;
    },
    { timeout: RESYNC_TIMEOUT },
  );
  await trial.settle();
  return {
    seconds: (after.seconds - before.seconds) / (after.count - before.count),
    transactions: (await observer.ask("generation", null)) - generation,
  };
}

/** Connections to services chosen at random, or, past them, to their endpoints. */
export function measureConnections(
  { connector }: ServicePath,
  services: number,
  through: "services" | "nothing",
  count: number,
): Promise<readonly number[]> {
  const address = (i: number) => (through === "services" ? serviceAddress(i) : endpointAddress(i, 0));
  const addresses = Array.from({ length: count }, () => address(Math.floor(Math.random() * services)));
  return connector.ask("connect", { addresses, port: through === "services" ? SERVICE_PORT : ENDPOINT_PORT });
}

/** Connects to services that are there already, while something else goes on. */
export async function probeDuring(path: ServicePath, work: () => Promise<unknown>): Promise<Probe> {
  const addresses = Array.from({ length: PROBED_SERVICES }, (_, i) => serviceAddress(i));
  const probe = path.connector.ask("probe", { addresses, port: SERVICE_PORT });
  await work();
  await path.connector.ask("stop", null);
  return await probe;
}

/** @returns requests a second, each on a connection of its own */
export async function measureShortConnections(
  { client }: ServicePath,
  through: "services" | "nothing",
): Promise<number> {
  const target = through === "services" ? serviceAddress(0) : `${endpointAddress(0, 0)}:${ENDPOINT_PORT}`;
  const load = ["-t1", `-c${HTTP_CONNECTIONS}`, `-d${HTTP_SECONDS}s`, "-H", "Connection: close"];
  const printed = await client.output(["taskset", "-c", "0", "wrk", ...load, `http://${target}/`]);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(printed)?.[1]);
  if (!(rate > 0) || /Socket errors|Non-2xx/.test(printed))
    throw new Error(`Cannot count requests: wrk says\n${printed}`);
  return rate;
}
