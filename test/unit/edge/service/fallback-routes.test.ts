import { describe, expect, test } from "bun:test";
import {
  compareFallbackRoutes,
  FALLBACK_ROUTES_LIMIT,
  FallbackPrefixes,
  planFallbackRoutes,
} from "../../../../edge/service/fallback-routes.ts";
import type { Frontend } from "../../../../edge/service/frontend.ts";
import { formatPrefix, makePrefix } from "../../../../src/base/ip.ts";
import { ip } from "../../../support/network-objects.ts";
import { makeFrontend } from "../../../support/service-frontends.ts";

const at = (address: string, kind: Frontend["kind"] = "cluster-ip") => makeFrontend({ kind, address: ip(address) });
const SOURCES = [ip("169.254.25.10"), ip("fd25::10")];

describe("the prefixes of service addresses", () => {
  test("cover cluster addresses widely and external ones exactly", () => {
    const prefixes = new FallbackPrefixes();
    const frontends = [at("10.96.3.4"), at("fd10::1:2"), at("203.0.113.7", "external"), at("fd11::7", "external")];
    const nodePort = makeFrontend({ kind: "node-port", address: undefined });
    expect(prefixes.update(new Map([["ns/web", [...frontends, nodePort]]]))).toBe(true);
    const list = prefixes.list().map(formatPrefix);
    expect(list).toEqual(["10.96.0.0/16", "fd10::1:0/112", "203.0.113.7/32", "fd11::7/128"]);
  });

  test("come with the first service and go with the last", () => {
    const prefixes = new FallbackPrefixes();
    expect(prefixes.update(new Map([["ns/a", [at("10.96.0.1")]]]))).toBe(true);
    expect(prefixes.update(new Map([["ns/b", [at("10.96.0.2"), at("10.96.0.3")]]]))).toBe(false);
    expect(prefixes.update(new Map([["ns/a", []]]))).toBe(false);
    expect(prefixes.update(new Map([["ns/b", [at("10.96.0.2")]]]))).toBe(false);
    expect(prefixes.update(new Map([["ns/b", []]]))).toBe(true);
    expect(prefixes.list()).toEqual([]);
  });
});

describe("the fallback routes", () => {
  test("lead to the service link, with the link's own address of the family as the source", () => {
    const routes = planFallbackRoutes([makePrefix(ip("10.96.0.0"), 16), makePrefix(ip("fd10::"), 112)], 7, SOURCES);
    const seen = routes.map((r) => [formatPrefix(r.destination), r.linkIndex, r.source]);
    expect(seen).toEqual([
      ["10.96.0.0/16", 7, SOURCES[0]],
      ["fd10::/112", 7, SOURCES[1]],
    ]);
  });

  test("keep the wide ones when there are too many", () => {
    const many = Array.from({ length: FALLBACK_ROUTES_LIMIT + 9 }, (_, i) =>
      makePrefix(ip(`203.0.${i >> 8}.${i & 255}`), 32),
    );
    const routes = planFallbackRoutes([...many, makePrefix(ip("10.96.0.0"), 16)], 7, SOURCES);
    expect(routes).toHaveLength(FALLBACK_ROUTES_LIMIT);
    expect(routes[0]?.destination.length).toBe(16);
  });

  test("are written where they differ, on another link or from another source too", () => {
    const wide = [makePrefix(ip("10.96.0.0"), 16)];
    const [before, same] = [planFallbackRoutes(wide, 7, SOURCES), planFallbackRoutes(wide, 7, SOURCES)];
    expect(compareFallbackRoutes(same, before)).toEqual({ adds: [], deletes: [] });
    for (const other of [planFallbackRoutes(wide, 8, SOURCES), planFallbackRoutes(wide, 7, [])]) {
      expect(compareFallbackRoutes(other, before)).toEqual({ adds: [...other], deletes: [...before] });
    }
  });
});
