import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { option } from "./option.ts";
import { Churn } from "./soak-churn.ts";
import { reportSoak } from "./soak-report.ts";
import { type SoakSample, takeSample } from "./soak-sample.ts";
import { SoakWorld } from "./soak-world.ts";

/**
 * The compiled agent for as long as it is told, in a lab, while services and endpoints change, a pod asks for names and
 * connects to services, and the cloud comes and goes. Samples what the agent holds, and tells how fast that grows. The
 * load is small on purpose (a tenth of a core, all programs together), so that it can run for hours beside other work.
 *
 * test/bench/soak.ts [--minutes N] [--seed N]; SIGINT ends it early, with the report.
 */
const SAMPLE_EVERY_SECONDS = 5;
const FOLDER = join(import.meta.dir, "../../dist/bench");
/** Written as they come, so that a machine that dies leaves what was measured. */
const SAMPLES_FILE = join(FOLDER, "soak-samples.jsonl");
const TIMELINE_FILE = join(FOLDER, "soak-timeline.svg");

async function main(): Promise<void> {
  const [minutes, seed] = [option("minutes", 10), option("seed", 1)];
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(SAMPLES_FILE, "");
  const samples: SoakSample[] = [];
  await using world = await SoakWorld.create(seed);
  const churn = new Churn(world, seed);
  console.log(`soak of ${minutes} minutes, seed ${seed}, agent ${world.agent.pid}: ${SAMPLES_FILE}`);
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  for (let second = 0; second < minutes * 60 && !stop.signal.aborted; second++) {
    await churn.tick(second);
    if (second % SAMPLE_EVERY_SECONDS === 0) {
      const sample = await takeSample(world, elapsed());
      samples.push(sample);
      appendFileSync(SAMPLES_FILE, `${JSON.stringify(sample)}\n`);
    }
    await Bun.sleep(Math.max(0, (second + 1 - elapsed()) * 1000));
  }
  reportSoak(samples, TIMELINE_FILE);
  console.log(`changes: ${JSON.stringify(churn.counts)}`);
}

await main();
