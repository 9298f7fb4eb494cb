import { describe, expect, test } from "bun:test";
import { parseTokenCommand } from "../../../../cloud/wiring/token-options.ts";
import { hours } from "../../../../src/base/duration.ts";

describe("selvedge-cloud token", () => {
  test("makes a token of a node for a day, unless it is told", () => {
    expect(parseTokenCommand(["create", "edge-1"])).toEqual({
      ok: true,
      value: {
        verb: "create",
        node: "edge-1",
        life: hours(24),
        server: "",
        namespace: "fabedge",
        authoritySecret: "fabedge-ca",
        kubeconfig: "",
        stateDir: "",
        json: false,
      },
    });
  });

  test("takes kubectl's short options, and an address as far as its port", () => {
    const words = [
      "create",
      "edge-1",
      "-n",
      "other",
      "-o",
      "json",
      "--expires=30m",
      "--server",
      "https://192.0.2.1:1/x",
    ];
    expect(parseTokenCommand(words)).toMatchObject({
      value: { namespace: "other", json: true, life: hours(0.5), server: "https://192.0.2.1:1" },
    });
  });

  test.each([
    [[], "usage"],
    [["make", "edge-1"], "usage"],
    [["create"], "usage"],
    [["create", "--expires=1h"], "usage"],
    [["delete", "Edge_1"], "usage"],
    [["create", "edge-1", "--server=http://192.0.2.1"], "config"],
    [["create", "edge-1", "--expires=0s"], "config"],
    [["create", "edge-1", "--expires=9000h"], "config"],
    [["create", "edge-1", "--expires=tomorrow"], "config"],
  ])("%j is refused", (words, kind) => {
    expect(parseTokenCommand(words)).toMatchObject({ ok: false, error: { kind } });
  });
});
