import { describe, expect, test } from "bun:test";
import { parseFieldSelector, parseLabelSelector } from "../../../../cloud/hub/selector.ts";

const OBJECT = { metadata: { name: "web", namespace: "shop", labels: { app: "web", tier: "front", "a.b/c": "d" } } };

describe("label selectors", () => {
  test.each([
    ["", true],
    ["app=web", true],
    ["app==web,tier!=back", true],
    ["app=db", false],
    ["app in (db, web)", true],
    ["app notin (db,web)", false],
    ["other notin (db)", true],
    ["app", true],
    ["!other", true],
    ["!app", false],
    ["a.b/c=d,app in (web),tier", true],
    ["toString", false],
  ])("%s is %p", (text, expected) => {
    const selector = parseLabelSelector(text);
    expect(selector.ok && selector.value(OBJECT)).toBe(expected);
  });

  test.each(["a b", "in (x)", "a=b=c", "a in x", ",", "x".repeat(5000)])("%s makes no sense", (text) => {
    expect(parseLabelSelector(text).ok).toBe(false);
  });

  test("an object without labels meets what asks for none", () => {
    const selector = parseLabelSelector("!app");
    expect(selector.ok && selector.value({ metadata: { name: "x" } })).toBe(true);
  });
});

describe("field selectors", () => {
  test.each([
    ["metadata.name=web", true],
    ["metadata.name==web,metadata.namespace=shop", true],
    ["metadata.namespace!=shop", false],
    ["metadata.name!=db", true],
  ])("%s is %p", (text, expected) => {
    const selector = parseFieldSelector(text);
    expect(selector.ok && selector.value(OBJECT)).toBe(expected);
  });

  test("of other fields are refused, as they would be by an API server", () => {
    expect(parseFieldSelector("spec.nodeName=x").ok).toBe(false);
  });
});
