import { join } from "node:path";
import type { Duration } from "../../src/base/duration.ts";
import type { Lab } from "./lab.ts";
import type { Link } from "./link.ts";
import type { LabProcess } from "./process.ts";

/** In each direction. */
export interface LineConditions {
  readonly delay: Duration;
  /** At most so much later, each packet by itself: what was sent first comes second. */
  readonly jitter: Duration;
  /** Of 1. */
  readonly loss: number;
  /** Of 1, of what is not lost. */
  readonly duplication: number;
  /** Which packets have bad luck, by their order. */
  readonly seed: number;
}

const RELAY = join(import.meta.dir, "bad-line-relay.ts");
const [NEAR, FAR] = ["badline-near", "badline-far"];

/**
 * A long and bad piece in the cable between a host and its switch, as netem makes it in kernels that have that: here a
 * program carries each frame from one TAP device to another.
 *
 *     router ── port ─ [badline] ─ TAP ~ relay ~ TAP ─ [internet]
 */
export class BadLine implements AsyncDisposable {
  readonly #link: Link;
  readonly #relay: LabProcess;

  /** One in each lab, once. */
  static async insert(lab: Lab, link: Link, conditions: LineConditions): Promise<BadLine> {
    const argv = [process.execPath, RELAY, NEAR, FAR, JSON.stringify(conditions)];
    const relay = await lab.namespace.spawn(argv, { ready: /relaying/ });
    const { name } = await lab.switch("badline");
    await lab.namespace.ip(`link set ${NEAR} master ${name} up`, `link set ${FAR} master ${link.switch} up`);
    await link.detour(name);
    return new BadLine(link, relay);
  }

  private constructor(link: Link, relay: LabProcess) {
    this.#link = link;
    this.#relay = relay;
  }

  /** The cable is as it was before; what was under way is lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link.restore();
    await this.#relay.stop();
  }
}
