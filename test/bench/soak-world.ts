import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LabProcess } from "../lab/process.ts";
import { type KubernetesObject, serviceObjects } from "../lab/service-objects.ts";
import { AGENT, DNS_ADDRESS, EdgeWorld, HTTP_PORT, PODS } from "../support/edge-world.ts";
import { benchAddress } from "./dns-services.ts";

/** They keep their names and addresses; their endpoints change, a file of them at a time. */
export const STEADY_SERVICES = 300;
export const STEADY_FILES = 3;
/** At most so many come and go beside them. */
export const ADDED_SERVICES = 150;
export const WEB_ADDRESS = "10.97.0.1";
export const DNS_SERVER = DNS_ADDRESS;
export const FORWARDED_ZONE = "example";
const UPSTREAM = "192.0.2.1";
const UPSTREAM_FILE = "/etc/unbound/soak.conf";
const LOAD = join(import.meta.dir, "soak-load.ts");

export interface Outcome {
  readonly answered: number;
  readonly wrong: number;
  readonly lost: number;
  /** null where nothing came back. */
  readonly p50Milliseconds: number | null;
  readonly p99Milliseconds: number | null;
}

/** What became of everything that the client pod tried in five seconds. */
export interface LoadWindow {
  readonly [what: string]: Outcome;
}

/** An edge node with a cloud and a client pod, and an agent of its own copy: a build meanwhile changes nothing. */
export class SoakWorld implements AsyncDisposable {
  readonly edge: EdgeWorld;
  readonly agent: LabProcess;
  readonly #load: LabProcess;
  readonly #folder: string;
  #windows = 0;

  static async create(seed: number): Promise<SoakWorld> {
    const folder = mkdtempSync(join(tmpdir(), "selvedge-soak-"));
    const program = join(folder, "selvedge");
    copyFileSync(AGENT, program);
    const world = await EdgeWorld.create();
    try {
      await world.cloud.writeFile(UPSTREAM_FILE, upstreamConfiguration());
      await world.cloud.spawn(["unbound", "-d", "-c", UPSTREAM_FILE]);
      await world.configure(world.edge, `dns-upstream: [${UPSTREAM}]`);
      await world.declareObjects("web", webObjects([PODS["web-1"], PODS["web-2"]]));
      for (let file = 0; file < STEADY_FILES; file++) await declareSteady(world, file, 0);
      const agent = await world.startAgent({ program });
      await world.cached(benchAddress(STEADY_SERVICES - 1));
      const load = await world.client.spawn([process.execPath, LOAD, String(seed)]);
      return new SoakWorld(world, agent, load, folder);
    } catch (error) {
      await world[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  private constructor(edge: EdgeWorld, agent: LabProcess, load: LabProcess, folder: string) {
    this.edge = edge;
    this.agent = agent;
    this.#load = load;
    this.#folder = folder;
  }

  /** The client's windows that ended since the last call. @throws where a program is gone that should run to the end */
  takeLoad(): readonly LoadWindow[] {
    for (const program of [this.agent, this.#load]) {
      if (!program.running) throw new Error(`Cannot go on as ${program.argv[0]} ended:\n${program.log.slice(-4000)}`);
    }
    const lines = this.#load.log.split("\n").slice(0, -1);
    const fresh = lines.slice(this.#windows);
    this.#windows = lines.length;
    return fresh.map((line) => JSON.parse(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.edge[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }
}

/** A third of the steady services, with other endpoints for another turn. */
export async function declareSteady(world: EdgeWorld, file: number, turn: number): Promise<void> {
  const size = STEADY_SERVICES / STEADY_FILES;
  const objects = Array.from({ length: size }, (_, n) => {
    const i = file * size + n;
    const [high, low] = [i >> 8, i & 255];
    const endpoints = [1, 2].map((network) => `10.${128 + network + (turn % 50)}.${high}.${low}`);
    const description = { name: `svc-${i}`, namespace: `ns-${i % 100}`, clusterIp: benchAddress(i), endpoints };
    return serviceObjects({ ...description, targetPort: HTTP_PORT });
  });
  await world.declareObjects(`steady-${file}`, objects.flat());
}

/** TCP and UDP, with a client kept at its endpoint on a further service. */
export function webObjects(endpoints: readonly string[]): readonly KubernetesObject[] {
  const ports = [
    { name: "http", protocol: "TCP", port: 80 },
    { name: "who", protocol: "UDP", port: 80 },
  ];
  const slicePorts = ports.map(({ name, protocol }) => ({ name, protocol, port: HTTP_PORT }));
  const make = (name: string, clusterIp: string, spec: object) => {
    const [service, slice] = serviceObjects({
      name,
      namespace: "default",
      clusterIp,
      targetPort: HTTP_PORT,
      endpoints,
    });
    const served = { ...(service["spec"] as object), ports, ...spec };
    return [
      { ...service, spec: served },
      { ...slice, ports: slicePorts },
    ];
  };
  const affinity = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } };
  return [...make("web", WEB_ADDRESS, {}), ...make("sticky", "10.97.0.2", affinity)];
}

/** Every name of the zone has an address, for as long as a busy site's. */
function upstreamConfiguration(): string {
  return `server:
  interface: ${UPSTREAM}
  do-daemonize: no
  use-syslog: no
  chroot: ""
  username: ""
  pidfile: ""
  access-control: 0.0.0.0/0 allow
  local-zone: "${FORWARDED_ZONE}." redirect
  local-data: "${FORWARDED_ZONE}. 20 IN A 198.51.100.7"
remote-control:
  control-enable: no
`;
}
