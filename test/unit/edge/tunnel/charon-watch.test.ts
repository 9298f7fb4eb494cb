import { describe, expect, test } from "bun:test";
import { CharonWatch } from "../../../../edge/tunnel/charon-watch.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { Log } from "../../../../src/base/log.ts";
import type { CharonState } from "../../../../src/strongswan/tunnel-state.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const connected = (version: string): CharonState => ({ phase: "connected", version, failure: undefined });
const ABSENT: CharonState = { phase: "absent", version: undefined, failure: "nobody listens" };
const SILENT: CharonState = { phase: "silent", version: "5.9.8", failure: "no answer" };

function watch() {
  const clock = new SteppedClock();
  let lost = 0;
  const charon = new CharonWatch(clock, new Log(() => {}, "error"), () => {
    lost += 1;
  });
  const codes = (state: CharonState) => charon.judge(state).map(({ code }) => code as string);
  return { clock, charon, codes, lost: () => lost };
}

describe("a charon that is away", () => {
  test("is told after three seconds, once, and not at all when it is back before", async () => {
    const { clock, charon, codes, lost } = watch();
    await clock.advance(seconds(2));
    charon.see(connected("5.9.8"));
    await clock.advance(seconds(10));
    expect([lost(), codes(connected("5.9.8"))]).toEqual([0, []]);
    charon.see(SILENT);
    expect(codes(SILENT)).toEqual([]);
    await clock.advance(seconds(3));
    expect([lost(), codes(SILENT)]).toEqual([1, ["CHARON_SILENT"]]);
    charon.see(ABSENT);
    await clock.advance(seconds(60));
    expect([lost(), codes(ABSENT)]).toEqual([1, ["CHARON_ABSENT"]]);
    charon.see(connected("5.9.8"));
    expect(codes(connected("5.9.8"))).toEqual([]);
  });

  test("is told also where it was never there", async () => {
    const { clock, codes, lost } = watch();
    await clock.advance(seconds(3));
    expect([lost(), codes(ABSENT)]).toEqual([1, ["CHARON_ABSENT"]]);
  });
});

test("a charon before 5.9.8 is used, and told", () => {
  const { codes, charon } = watch();
  const judge = (version: string) => {
    charon.see(connected(version));
    return codes(connected(version));
  };
  for (const old of ["5.9.7", "5.8.12", "4.6.4", "5.9"]) expect(judge(old)).toEqual(["CHARON_OLD"]);
  for (const fine of ["5.9.8", "5.9.8dr1", "5.9.14", "5.10.0", "6.0.6"]) expect(judge(fine)).toEqual([]);
});
