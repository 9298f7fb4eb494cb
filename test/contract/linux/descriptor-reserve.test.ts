import { expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, readlinkSync } from "node:fs";
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

/** By their numbers in the kernel: the runtime closes some of its own when it comes to it. */
function sockets(): readonly string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return /^socket:.*/.exec(readlinkSync(`/proc/self/fd/${fd}`)) ?? [];
    } catch {
      return []; // what the folder was read with
    }
  });
}

function give(descriptors: number[], count = descriptors.length): void {
  for (const fd of descriptors.splice(0, count)) closeSync(fd);
}

inNamespace(import.meta.path, () => {
  test("the reserve is given up when there is nothing else, and taken back when there is", () => {
    run("prlimit", `--nofile=${readdirSync("/proc/self/fd").length + 64}:`, "--pid", String(process.pid));
    const before = sockets();
    const added = () => sockets().filter((socket) => !before.includes(socket));
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
    expect(added()).toHaveLength(1);
    reserve.close();
    expect(added()).toEqual([]);
  });
});
