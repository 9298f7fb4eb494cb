import { expect, test } from "bun:test";
import fc from "fast-check";
import { seededRandom } from "../../../support/seeded-random.ts";
import { TwoEnds } from "../../../support/two-ends.ts";

const STEP_MS = 40;
const CALM_MS = 45_000;

test("two ends that both begin come to rest with one SA of each kind, whoever is quicker, and never lose one again", () => {
  fc.assert(
    fc.property(fc.integer(), fc.boolean(), (seed, forgetful) => {
      const random = seededRandom(seed);
      const ends = new TwoEnds(random);
      let most = 0;
      const late = 2_000 * random();
      for (; ends.now < 2 * CALM_MS; ends.now += STEP_MS) {
        // Ends look when something happens, or half a second later.
        if (random() < 0.5) ends.turn(0);
        if (ends.now > late && random() < 0.5) ends.turn(1);
        if (forgetful && random() < 0.001 && ends.now < CALM_MS / 2) ends.forget(random() < 0.5 ? 0 : 1);
        expect(ends.carried().size).toBeGreaterThanOrEqual(most);
        most = Math.max(most, ends.carried().size);
      }
      expect(ends.sas).toHaveLength(1);
      expect(ends.sas[0]?.children.map(({ kind }) => kind).sort()).toEqual(["n2p", "p2n", "p2p"]);
      expect(ends.now - ends.lastAction).toBeGreaterThan(CALM_MS / 3);
    }),
    { numRuns: 25 },
  );
});
