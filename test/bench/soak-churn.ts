import { serviceObjects } from "../lab/service-objects.ts";
import { HTTP_PORT, PODS } from "../support/edge-world.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { ADDED_SERVICES, declareSteady, type SoakWorld, STEADY_FILES, webObjects } from "./soak-world.ts";

const FULL = [PODS["web-1"], PODS["web-2"]];
const MAX_ENDPOINTS = 6;

/** What happens at which second of every period of three minutes, besides one service a second. */
const PERIOD_SECONDS = 180;
const EVENTS: Readonly<Record<number, keyof typeof ACTIONS>> = {
  10: "oneBackend",
  20: "bothBackends",
  25: "rewriteSteady",
  30: "unplug",
  45: "plug",
  60: "oneBackend",
  65: "foreignTable",
  70: "bothBackends",
  90: "stopHub",
  95: "startHub",
  110: "noForeignTable",
  115: "rewriteSteady",
  130: "silence",
  150: "restore",
  170: "rewriteSteady",
};

const ACTIONS = {
  oneBackend: ({ edge }: SoakWorld) => edge.declareObjects("web", webObjects(FULL.slice(0, 1))),
  bothBackends: ({ edge }: SoakWorld) => edge.declareObjects("web", webObjects(FULL)),
  rewriteSteady: ({ edge }: SoakWorld, second: number) =>
    declareSteady(edge, second % STEADY_FILES, Math.floor(second / 7)),
  unplug: ({ edge }: SoakWorld) => edge.uplink.unplug(),
  plug: ({ edge }: SoakWorld) => edge.uplink.plug(),
  silence: ({ edge }: SoakWorld) => edge.uplink.silence(),
  restore: ({ edge }: SoakWorld) => edge.uplink.restore(),
  stopHub: ({ edge }: SoakWorld) => edge.stopHub(),
  startHub: ({ edge }: SoakWorld) => edge.startHub(),
  foreignTable: async ({ edge }: SoakWorld) => void (await edge.edge.output(["nft", "add", "table", "ip", "foreign"])),
  noForeignTable: async ({ edge }: SoakWorld) =>
    void (await edge.edge.output(["nft", "delete", "table", "ip", "foreign"])),
};

/** Changes what the cloud says, once a second, and makes the cloud come and go. */
export class Churn {
  readonly counts = { added: 0, changed: 0, removed: 0, unplugged: 0, silenced: 0, hubRestarts: 0 };
  readonly #world: SoakWorld;
  readonly #random: () => number;
  readonly #present = new Set<number>();

  constructor(world: SoakWorld, seed: number) {
    this.#world = world;
    this.#random = seededRandom(seed);
  }

  async tick(second: number): Promise<void> {
    const action = EVENTS[second % PERIOD_SECONDS];
    if (action !== undefined) {
      await ACTIONS[action](this.#world, second);
      if (action === "unplug") this.counts.unplugged++;
      if (action === "silence") this.counts.silenced++;
      if (action === "startHub") this.counts.hubRestarts++;
    }
    await this.#changeOne();
  }

  /** A random service: one that is there gets other endpoints or goes, another one comes. */
  async #changeOne(): Promise<void> {
    const i = Math.floor(this.#random() * ADDED_SERVICES);
    const present = this.#present.has(i);
    if (present && this.#random() < 0.3) {
      await this.#world.edge.remove(`added-${i}`);
      this.#present.delete(i);
      this.counts.removed++;
      return;
    }
    const count = 1 + Math.floor(this.#random() * MAX_ENDPOINTS);
    const endpoints = Array.from({ length: count }, () => `10.250.${i}.${1 + Math.floor(this.#random() * 250)}`);
    const description = { name: `added-${i}`, namespace: "soak", clusterIp: `10.98.0.${i + 1}`, targetPort: HTTP_PORT };
    await this.#world.edge.declareObjects(
      `added-${i}`,
      serviceObjects({ ...description, endpoints: [...new Set(endpoints)] }),
    );
    this.#present.add(i);
    if (present) this.counts.changed++;
    else this.counts.added++;
  }
}
