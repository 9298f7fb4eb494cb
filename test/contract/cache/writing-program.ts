import { PendingWrites } from "../../../edge/cache/pending-writes.ts";
import { CacheStore } from "../../../edge/cache/store.ts";

/**
 * Writes generation after generation until it is killed: every batch sets all objects and the watermark to one number,
 * so a half-written batch shows. Now and then it syncs and copies, as the agent does.
 */
const [folder = "", count = "20"] = process.argv.slice(2);
const store = new CacheStore(folder);
let generation = Number(store.load(() => undefined).state.watermarks.get("Service")?.trustedVersion ?? 0);
for (;;) {
  generation += 1;
  const pending = new PendingWrites();
  for (let i = 0; i < Number(count); i++) {
    const body = JSON.stringify({ metadata: { namespace: "d", name: `s${i}` }, generation });
    pending.putObject({ kind: "Service", key: `d/s${i}`, uid: "u", resourceVersion: String(generation), body });
  }
  pending.setWatermark("Service", { trustedVersion: String(generation), listedAt: generation });
  store.write(pending.take());
  if (generation % 7 === 0) store.sync();
  if (generation % 11 === 0) store.keepPrevious();
  process.stdout.write(`${generation}\n`);
}
