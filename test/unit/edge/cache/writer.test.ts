import { beforeEach, describe, expect, test } from "bun:test";
import { PendingWrites } from "../../../../edge/cache/pending-writes.ts";
import type { StoreTrouble } from "../../../../edge/cache/store.ts";
import type { StoreBatch } from "../../../../edge/cache/stored-state.ts";
import { CacheWriter, type WriterStore } from "../../../../edge/cache/writer.ts";
import { hours, minutes, seconds } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";
import { Log } from "../../../../src/base/log.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

/** A disk that notes what is asked of it, and refuses when told to. */
class Disk implements WriterStore {
  readonly done: string[] = [];
  readonly keys = new Set<string>();
  broken = false;
  /** There is room for the cache, and not for another of it. */
  tight = false;
  previousAt: number | undefined;
  repaired: StoreTrouble | undefined;

  write(batch: StoreBatch): void {
    this.#try("write");
    for (const [id, object] of batch.objects) {
      if (object === undefined) this.keys.delete(id);
      else this.keys.add(id);
    }
  }
  sync(): void {
    this.#try("sync");
  }
  keepPrevious(): void {
    this.#try("copy");
    this.previousAt = clock.wall();
  }
  takeRepaired(): StoreTrouble | undefined {
    const { repaired } = this;
    this.repaired = undefined;
    return repaired;
  }
  #try(what: string): void {
    const refused = this.broken || (this.tight && what === "copy");
    this.done.push(refused ? `${what} refused` : what);
    if (refused) throw new Error("disk full");
  }
}

let clock: SteppedClock;
let disk: Disk;
let pending: PendingWrites;
let health: Health;
let writer: CacheWriter;
let repairs: number;
beforeEach(() => {
  clock = new SteppedClock();
  disk = new Disk();
  pending = new PendingWrites();
  health = new Health(
    () => clock.wall(),
    () => undefined,
  );
  repairs = 0;
  writer = open();
});

/** As a process does that starts. */
function open(): CacheWriter {
  const log = new Log(() => undefined, "error");
  const onRepaired = () => {
    repairs += 1;
  };
  return new CacheWriter({ store: disk, pending, onRepaired, health, log, clock, random: () => 0.5 });
}

function change(name: string): void {
  pending.putObject({ kind: "Service", key: `d/${name}`, uid: "u", resourceVersion: "1", body: "{}" });
  writer.wake();
}

describe("the writer", () => {
  test("gathers a second's changes into one write, and syncs and copies a minute later", async () => {
    change("a");
    change("b");
    await clock.advance(seconds(0.9));
    expect(disk.done).toEqual([]);
    await clock.advance(seconds(0.2));
    expect(disk.done).toEqual(["write"]);
    expect(disk.keys.size).toBe(2);
    await clock.advance(minutes(2));
    expect(disk.done).toEqual(["write", "sync", "copy"]);
    await clock.advance(hours(10));
    expect(disk.done).toEqual(["write", "sync", "copy"]);
  });

  test("copies no more than once in six hours, however much changes", async () => {
    for (let i = 0; i < 12 * 60; i++) {
      change(`s${i}`);
      await clock.advance(minutes(1));
    }
    expect(disk.done.filter((done) => done === "copy").length).toBe(2);
  });

  test("copies once in six hours over restarts, too, whatever the clock was set to between them", async () => {
    for (const [ageHours, soon] of [
      [1, false],
      [7, true],
      [-5, false],
      [-500_000, true],
    ] as const) {
      disk.done.splice(0);
      disk.previousAt = clock.wall() - hours(ageHours);
      writer = open();
      change("a");
      await clock.advance(minutes(2));
      expect([ageHours, disk.done.includes("copy")]).toEqual([ageHours, soon]);
      change("b");
      await clock.advance(minutes(2));
      expect([ageHours, disk.done.filter((done) => done === "copy").length]).toEqual([ageHours, soon ? 1 : 0]);
    }
  });

  test("a disk that refuses is a condition, is tried again with growing pauses, and loses nothing", async () => {
    disk.broken = true;
    change("a");
    await clock.advance(minutes(10));
    expect(health.list().map((c) => c.code)).toEqual(["CACHE_WRITE_FAILED"]);
    expect(disk.done.length).toBeGreaterThan(5);
    expect(disk.done.length).toBeLessThan(12);
    change("b");
    disk.broken = false;
    await clock.advance(minutes(5));
    expect(health.list()).toEqual([]);
    expect([...disk.keys].sort()).toEqual(["Service d/a", "Service d/b"]);
  });

  test("tells once that a damaged file was put right, and that what was on it may be lost", async () => {
    disk.repaired = { code: "CACHE_CORRUPT", message: "", hint: "" };
    for (const name of ["a", "b"]) {
      change(name);
      await clock.advance(seconds(2));
      expect(repairs).toBe(1);
    }
  });

  test("a disk with no room for the copy is one condition, and tried once an hour", async () => {
    disk.tight = true;
    const seen = new Set<string>();
    for (let i = 0; i < 119; i++) {
      change(`s${i}`);
      await clock.advance(minutes(1));
      if (i > 1)
        seen.add(
          health
            .list()
            .map((c) => `${c.severity} ${c.code}`)
            .join(),
        );
    }
    expect([...seen]).toEqual(["info CACHE_COPY_FAILED"]);
    expect(disk.done.filter((done) => done === "copy refused").length).toBe(2);
    expect(disk.done.filter((done) => done === "write").length).toBe(119);
    disk.tight = false;
    change("last");
    await clock.advance(hours(1));
    change("after");
    await clock.advance(minutes(2));
    expect(health.list()).toEqual([]);
  });

  test("watermarks alone wait for company, an hour at most", async () => {
    pending.setWatermark("Service", { trustedVersion: "1", listedAt: 1 });
    writer.wake();
    await clock.advance(minutes(59));
    writer.wake();
    expect(disk.done).toEqual([]);
    await clock.advance(minutes(2));
    writer.wake();
    await clock.advance(seconds(2));
    expect(disk.done).toEqual(["write"]);
  });

  test("writes what is left when it closes", () => {
    change("a");
    writer.close();
    expect(disk.keys.size).toBe(1);
    expect(clock.pending).toBe(0);
  });
});

describe("pending writes", () => {
  test("fold to the last state, and a batch that failed does not overwrite what came since", () => {
    const object = { kind: "Service", key: "d/a", uid: "u", resourceVersion: "1", body: "{}" } as const;
    pending.putObject(object);
    const failed = pending.take();
    pending.dropObject("Service", "d/a");
    pending.bury("Service", "d/a", { uid: "u", resourceVersion: "2" });
    pending.restore(failed);
    const batch = pending.take();
    expect([...batch.objects]).toEqual([["Service d/a", undefined]]);
    expect([...batch.tombstones.keys()]).toEqual(["Service d/a"]);
    expect(pending.urgent).toBe(false);
  });
});
