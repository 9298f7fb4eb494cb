import { describe, expect, test } from "bun:test";
import { parseCommandLine } from "../../../cloud/config.ts";

describe("selvedge-cloud's command line", () => {
  test("hub takes a folder and an address", () => {
    expect(parseCommandLine(["hub", "--manifests", "/m"])).toEqual({
      ok: true,
      value: { kind: "hub", folder: "/m", listen: { hostname: "127.0.0.1", port: 8880 }, words: [] },
    });
    expect(parseCommandLine(["hub", "--listen=10.0.0.1:80", "--manifests=/m"])).toMatchObject({
      value: { listen: { hostname: "10.0.0.1", port: 80 } },
    });
  });

  test.each([
    ["127.0.0.1", "127.0.0.1", 8880],
    ["[::1]:99", "::1", 99],
    ["::1", "::1", 8880],
    [":99", "::", 99],
    ["localhost:1", "127.0.0.1", 1],
  ])("listens on %s", (text, hostname, port) => {
    expect(parseCommandLine(["hub", "--manifests", "m", "--listen", text])).toMatchObject({
      value: { listen: { hostname, port } },
    });
  });

  test.each(["1.2.3", "10.0.0.1:70000", "cloud:80", "10.0.0.1:http", ":"])("%s is a wrong configuration", (text) => {
    expect(parseCommandLine(["hub", "--manifests", "m", "--listen", text])).toMatchObject({
      ok: false,
      error: { kind: "config" },
    });
  });

  test.each([[[]], [["hubb"]], [["hub"]], [["hub", "--manifest", "x"]], [["hub", "--manifests"]]])(
    "%j is a wrong command line",
    (words) => {
      expect(parseCommandLine(words)).toMatchObject({ ok: false, error: { kind: "usage" } });
    },
  );

  test("help and version come first", () => {
    expect(parseCommandLine(["hub", "--help"])).toEqual({ ok: true, value: { kind: "help" } });
    expect(parseCommandLine(["--version"])).toEqual({ ok: true, value: { kind: "version" } });
  });
});
