import { expect, test } from "bun:test";
import { observeDescriptorLimit, parseDescriptorLimit } from "../../../../src/linux/descriptor-limit.ts";

const text = (soft: string) => `Limit                     Soft Limit           Hard Limit           Units
Max processes             96314                96314                processes
Max open files            ${soft.padEnd(21)}1048576              files
Max locked memory         8388608              8388608              bytes
`;

test("the soft limit of descriptors is read", () => {
  expect(parseDescriptorLimit(text("1024"))).toBe(1024);
  expect(parseDescriptorLimit(text("unlimited"))).toBe(Number.POSITIVE_INFINITY);
  expect(parseDescriptorLimit("")).toBeUndefined();
});

test("it is the one that the shell shows", () => {
  const shown = Bun.spawnSync(["prlimit", "--nofile", "--output=SOFT", "--noheadings", `--pid=${process.pid}`]);
  expect(String(observeDescriptorLimit())).toBe(shown.stdout.toString().trim());
});
