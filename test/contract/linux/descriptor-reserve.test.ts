import { expect, test } from "bun:test";
import { closeSync, openSync, readdirSync } from "node:fs";
import { DescriptorReserve } from "../../../src/linux/descriptor-reserve.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

/** Opens descriptors until there are no more. */
function takeAll(): number[] {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync("/dev/null", "r"));
  } catch {
    return taken;
  }
}

function give(descriptors: number[], count = descriptors.length): void {
  for (const fd of descriptors.splice(0, count)) closeSync(fd);
}

inNamespace(import.meta.path, () => {
  test("the reserve is given up when there is nothing else, and taken back when there is", () => {
    const descriptors = () => readdirSync("/proc/self/fd").length;
    run("prlimit", `--nofile=${descriptors() + 64}:`, "--pid", String(process.pid));
    const before = descriptors();
    const reserve = new DescriptorReserve();
    const taken = takeAll();
    expect(reserve.short).toBeFalse();
    expect(() => openSync("/dev/null", "r")).toThrow("EMFILE");

    reserve.look();
    expect(reserve.short).toBeTrue();
    const last = takeAll();
    expect(last).toHaveLength(1);
    reserve.look();
    expect(reserve.short).toBeTrue();

    // One is nothing to spare: it would be the reserve, and callers would wait.
    give(last);
    reserve.look();
    expect(reserve.short).toBeTrue();
    expect(takeAll().map((fd) => closeSync(fd))).toHaveLength(1);

    give(taken, 1);
    reserve.look();
    expect(reserve.short).toBeFalse();
    expect(takeAll().map((fd) => closeSync(fd))).toHaveLength(1);
    give(taken);
    expect(descriptors()).toBe(before + 1);
    reserve.close();
    expect(descriptors()).toBe(before);
  });
});
