import { describe, expect, test } from "bun:test";
import { parseCniRequest } from "../../../../edge/pod/cni-request.ts";
import { runPlugin } from "../../../../edge/pod/plugin.ts";
import { errorText } from "../../../../src/base/errors.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const POD = { CNI_CONTAINERID: "c1", CNI_IFNAME: "eth0", CNI_NETNS: "/run/netns/c1" };
const run = (env: Readonly<Record<string, string>>, input = "{}") =>
  runPlugin({ env, readInput: () => input, clock: new SteppedClock() });

describe("a request", () => {
  test("for a pod names its container, interface and namespace", () => {
    const attachment = { containerId: "c1", ifName: "eth0" };
    expect(parseCniRequest({ CNI_COMMAND: "ADD", ...POD })).toEqual({
      command: "ADD",
      attachment,
      namespace: "/run/netns/c1",
    });
    // The namespace may be gone by then.
    expect(parseCniRequest({ CNI_COMMAND: "DEL", ...POD, CNI_NETNS: "" })).toEqual({
      command: "DEL",
      attachment,
      namespace: undefined,
    });
    expect(parseCniRequest({ CNI_COMMAND: "STATUS" })).toEqual({ command: "STATUS" });
  });

  test.each([
    ["CNI_COMMAND", "UPDATE"],
    ["CNI_COMMAND", ""],
    ["CNI_CONTAINERID", "../c1"],
    ["CNI_CONTAINERID", "c".repeat(129)],
    ["CNI_CONTAINERID", "a b"],
    ["CNI_IFNAME", "eth0/1"],
    ["CNI_IFNAME", ".."],
    ["CNI_IFNAME", "sixteen-letters-"],
    ["CNI_NETNS", ""],
    ["CNI_NETNS", "netns/c1"],
  ])("with %s %p is refused", (name, text) => {
    const attempt = () => parseCniRequest({ CNI_COMMAND: "ADD", ...POD, [name]: text });
    expect(attempt).toThrow(`Cannot take ${name} as what the CNI specification says`);
  });
});

describe("the plugin", () => {
  test("says which versions it knows, whatever it is given", async () => {
    const supportedVersions = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
    for (const [input, cniVersion] of [
      ['{"cniVersion":"0.4.0"}', "0.4.0"],
      ['{"cniVersion":"9.9.9"}', "1.1.0"],
      ["", "1.1.0"],
    ] as const) {
      const { exitCode, text } = await run({ CNI_COMMAND: "VERSION" }, input);
      expect([exitCode, JSON.parse(text)]).toEqual([0, { cniVersion, supportedVersions }]);
    }
  });

  test("fails with the specification's number, in the version that it was asked in", async () => {
    const config = (cniVersion: string) => JSON.stringify({ cniVersion, name: "n", ipam: { type: "x" } });
    for (const [env, input, cniVersion, code] of [
      [{ CNI_COMMAND: "ADD" }, config("0.4.0"), "1.1.0", 4],
      [{ CNI_COMMAND: "ADD", ...POD }, config("2.0.0"), "1.1.0", 1],
      [{ CNI_COMMAND: "ADD", ...POD }, "{", "1.1.0", 6],
      [{ CNI_COMMAND: "ADD", ...POD }, config("0.4.0"), "0.4.0", 7],
      [{ CNI_COMMAND: "CHECK", ...POD }, config("0.3.1"), "0.3.1", 1],
      [{ CNI_COMMAND: "GC" }, config("1.0.0"), "1.0.0", 1],
    ] as const) {
      const { exitCode, text } = await run(env, input);
      expect([exitCode, JSON.parse(text)]).toEqual([1, expect.objectContaining({ cniVersion, code })]);
    }
  });

  test("gives every error a sentence and what to do", async () => {
    const { text } = await run({ CNI_COMMAND: "ADD", ...POD }, "{");
    const { msg, details } = JSON.parse(text);
    expect(msg).toStartWith("CNI_DECODE: Cannot read the network configuration as it is no JSON");
    expect(details).not.toBe("");
    expect(errorText(new Error(msg))).toBe(msg);
  });
});
