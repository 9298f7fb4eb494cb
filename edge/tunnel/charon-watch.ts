import type { Clock, Timer } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import type { Log } from "../../src/base/log.ts";
import type { CharonState } from "../../src/strongswan/tunnel-state.ts";
import type { TunnelFinding } from "./finding.ts";

/** It starts beside us, and its unit starts it again within a second: no condition is worth a moment. */
const GRACE = seconds(3);
/** Debian 12's, and the oldest that is tested; before it lie known holes (CVE-2022-40617, CVE-2023-26463). */
const FLOOR = [5, 9, 8];

/** Whether charon is there, and what there is to say if it is not. */
export class CharonWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onLost: () => void;
  #timer: Timer | undefined;
  #lost = false;
  #phase: CharonState["phase"] | undefined;

  /** @param onLost it has been away for a while */
  constructor(clock: Clock, log: Log, onLost: () => void) {
    this.#clock = clock;
    this.#log = log;
    this.#onLost = onLost;
    this.see({ phase: "absent", version: undefined, failure: undefined });
  }

  see({ phase, version, failure }: CharonState): void {
    const before = this.#phase;
    this.#phase = phase;
    if (phase === "connected") {
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#lost = false;
      if (before !== "connected") this.#log.info("charon.connected", "charon answers.", { version: version ?? "" });
    } else if (this.#timer === undefined && !this.#lost) {
      if (before === "connected") this.#log.warn("charon.lost", "charon answers no more.", { reason: failure ?? "" });
      this.#timer = this.#clock.after(GRACE, () => {
        this.#timer = undefined;
        this.#lost = true;
        this.#onLost();
      });
    }
  }

  close(): void {
    this.#timer?.cancel();
  }

  judge({ phase, version, failure }: CharonState): readonly TunnelFinding[] {
    if (phase !== "connected") return this.#lost ? [charonAway(phase, failure)] : [];
    if (version === undefined || !isOlder(version, FLOOR)) return [];
    return [
      {
        code: "CHARON_OLD",
        severity: "degraded",
        message: `Cannot count on charon as it is older than ${FLOOR.join(".")}: current value is ${version}`,
        hint: "Upgrade strongSwan: older ones have known holes, and are not tested with this program.",
      },
    ];
  }
}

function charonAway(phase: "absent" | "silent", failure: string | undefined): TunnelFinding {
  const why = failure === undefined ? "" : `: ${failure}`;
  return {
    code: phase === "silent" ? "CHARON_SILENT" : "CHARON_ABSENT",
    severity: "degraded",
    message: `Cannot keep tunnels as charon ${phase === "silent" ? "does not answer" : "is not there"}${why}`,
    hint: "Install strongSwan (Debian: charon-systemd), and see systemctl status selvedge-charon. Tunnels that the kernel has go on meanwhile.",
  };
}

/** Versions that are not numbers are newer than we know. */
function isOlder(version: string, floor: readonly number[]): boolean {
  const parts = version.split(/[.\-_a-z]/i).map(Number);
  for (const [i, least] of floor.entries()) {
    const part = parts[i] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}
