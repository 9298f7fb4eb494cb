import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PendingWrites } from "../../../edge/cache/pending-writes.ts";
import { CacheStore } from "../../../edge/cache/store.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { loadWhole } from "../../support/loaded-store.ts";

const PROGRAM = join(import.meta.dir, "writing-program.ts");
const KILLS = 50;

function putting(from: number, to: number, bodyBytes = 200) {
  const pending = new PendingWrites();
  for (let i = from; i < to; i++) {
    const body = JSON.stringify({ metadata: { namespace: "d", name: `s${i}` }, filler: "x".repeat(bodyBytes) });
    pending.putObject({ kind: "Service", key: `d/s${i}`, uid: "u", resourceVersion: "1", body });
  }
  return pending.take();
}

inNamespace(import.meta.path, () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "selvedge-disk-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test(`${KILLS} kills in the middle of writing never leave half a batch, nor lose one that was written`, async () => {
    let last = 0;
    for (let round = 0; round < KILLS; round++) {
      const program = Bun.spawn([process.execPath, PROGRAM, folder], { stdout: "pipe", stderr: "inherit" });
      // Killed a different number of batches later each time, wherever that finds it.
      const written = await readUntil(program.stdout, last + 1 + (round % 13));
      program.kill("SIGKILL");
      const rest = await program.stdout.text().catch(() => "");
      await program.exited;
      const acknowledged = Math.max(written, ...rest.trim().split("\n").map(Number));

      const store = new CacheStore(folder);
      const { state, trouble } = loadWhole(store);
      store.close();
      expect(trouble).toBeUndefined();
      const generations = new Set([
        ...state.objects.map((object) => object.resourceVersion),
        state.watermarks.get("Service")?.trustedVersion,
      ]);
      expect([...generations].length).toBe(1);
      expect(state.objects.length).toBe(20);
      last = Number([...generations][0]);
      expect(last).toBeGreaterThanOrEqual(acknowledged);
    }
    // The next copy takes away what is left of one in whose midst the program was killed.
    const store = new CacheStore(folder);
    loadWhole(store);
    store.keepPrevious();
    store.close();
    expect(readdirSync(folder).sort()).toEqual(["cache.db", "cache.previous.db"]);
  }, 180_000);

  test("a full disk refuses the batch, keeps what was there, and takes the batch when there is room", () => {
    run("mount", "-t", "tmpfs", "-o", "size=2m", "none", folder);
    try {
      const store = new CacheStore(folder);
      store.load(() => undefined);
      store.write(putting(0, 100));
      run("sh", "-c", `dd if=/dev/zero of=${folder}/filler bs=4k 2>/dev/null || true`);
      const large = putting(100, 1500);
      expect(() => store.write(large)).toThrow("Cannot write the cache");
      expect(() => store.keepPrevious()).toThrow("Cannot write the cache");
      expect(readdirSync(folder).filter((name) => name.startsWith("cache.next"))).toEqual([]);
      rmSync(join(folder, "filler"));
      store.write(large);
      store.close();
      const again = new CacheStore(folder);
      const { state, trouble } = loadWhole(again);
      again.close();
      expect(trouble).toBeUndefined();
      expect(state.objects.length).toBe(1500);
    } finally {
      run("umount", "--lazy", folder);
    }
  });

  test("a read-only disk gives what it has, refuses writes, and takes them when it is writable again", () => {
    run("mount", "-t", "tmpfs", "none", folder);
    try {
      const first = new CacheStore(folder);
      first.load(() => undefined);
      first.write(putting(0, 10));
      first.close();
      run("mount", "-o", "remount,ro", folder);
      const store = new CacheStore(folder);
      const { state, trouble } = loadWhole(store);
      expect(trouble).toBeUndefined();
      expect(state.objects.length).toBe(10);
      expect(() => store.write(putting(10, 20))).toThrow("Cannot write the cache");
      run("mount", "-o", "remount,rw", folder);
      store.write(putting(10, 20));
      store.close();
      const again = new CacheStore(folder);
      expect(loadWhole(again).state.objects.length).toBe(20);
      again.close();
    } finally {
      run("umount", "--lazy", folder);
    }
  });

  test.each([
    ["read-only", () => run("mount", "-o", "remount,ro", folder)],
    ["full", () => run("sh", "-c", `dd if=/dev/zero of=${folder}/filler bs=512 2>/dev/null || true`)],
  ])(
    "a disk that is %s after a crash gives what was written last, and keeps it for when it can be written",
    async (_, spoil) => {
      run("mount", "-t", "tmpfs", "-o", "size=2m", "none", folder);
      try {
        const program = Bun.spawn([process.execPath, PROGRAM, folder, "5"], { stdout: "pipe", stderr: "inherit" });
        // Before the seventh, which would bring it from the log into the file.
        const written = await readUntil(program.stdout, 3);
        program.kill("SIGKILL");
        await program.exited;
        run("sh", "-c", `rm -f ${folder}/*-shm`);
        spoil();
        for (let load = 0; load < 2; load++) {
          const store = new CacheStore(folder);
          const { state, trouble } = loadWhole(store);
          expect(trouble).toBeUndefined();
          expect(state.objects.length).toBe(5);
          expect(Number(state.watermarks.get("Service")?.trustedVersion)).toBeGreaterThanOrEqual(written);
          // More than the log has room for where it has been written before.
          expect(() => store.write(putting(10, 5000))).toThrow("Cannot write the cache");
          store.close();
        }
        run("mount", "-o", "remount,rw", folder);
        rmSync(join(folder, "filler"), { force: true });
        const again = new CacheStore(folder);
        expect(loadWhole(again).state.objects.length).toBe(5);
        again.write(putting(10, 20));
        again.close();
      } finally {
        run("umount", "--lazy", folder);
      }
    },
  );

  test("a read-only disk that is empty is a condition, not a crash", () => {
    run("mount", "-t", "tmpfs", "-o", "ro", "none", folder);
    try {
      const store = new CacheStore(join(folder, "state"));
      expect(loadWhole(store)).toMatchObject({ trouble: { code: "CACHE_UNREADABLE" }, state: { objects: [] } });
      store.close();
    } finally {
      run("umount", "--lazy", folder);
    }
  });

  test("a cache that outgrows its bound refuses the batch and stays whole", () => {
    const store = new CacheStore(folder);
    store.load(() => undefined);
    store.write(putting(0, 10));
    expect(() => store.write(putting(10, 100, 1_000_000))).toThrow("Cannot write the cache");
    store.close();
    const again = new CacheStore(folder);
    const { state, trouble } = loadWhole(again);
    again.close();
    expect(trouble).toBeUndefined();
    expect(state.objects.length).toBe(10);
  });
});

/** Reads lines until one is at least the number. @returns the last line read */
async function readUntil(stream: ReadableStream<Uint8Array>, least: number): Promise<number> {
  const reader = stream.getReader();
  let text = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the program ended by itself: ${text}`);
      text += new TextDecoder().decode(value);
      const complete = text.slice(0, text.lastIndexOf("\n")).split("\n").map(Number);
      const last = complete.at(-1) ?? 0;
      if (last >= least) return last;
    }
  } finally {
    reader.releaseLock();
  }
}
