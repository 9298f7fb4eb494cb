import { expect, test } from "bun:test";
import { searchNames } from "../../../../edge/cli/search-names.ts";

test("a short name is looked for in the cluster first, as a pod does", () => {
  expect(searchNames("web", "shop", "cluster.local")).toEqual([
    "web.shop.svc.cluster.local.",
    "web.svc.cluster.local.",
    "web.cluster.local.",
    "web.",
  ]);
});

test("a name with five dots is asked as it is first, and one with a last dot alone", () => {
  expect(searchNames("_http._tcp.web.shop.svc.cluster.local", "shop", "cluster.local")[0]).toBe(
    "_http._tcp.web.shop.svc.cluster.local.",
  );
  expect(searchNames("example.com.", "shop", "cluster.local")).toEqual(["example.com."]);
});
