import { describe, expect, test } from "bun:test";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { type EventDescription, EventSeries } from "../../../../src/kube/event-series.ts";

const at = (seconds: number) => (seconds * 1000) as MonotonicTime;

function event(name: string, note = "note"): EventDescription {
  return {
    regarding: { apiVersion: "v1", kind: "Node", name, uid: `uid-${name}` },
    type: "Warning",
    reason: "SubnetConflict",
    action: "Plan",
    note,
  };
}

function newSeries(): EventSeries {
  let count = 0;
  return new EventSeries(({ name }) => `${name}.${count++}`, at(0));
}

describe("occurrences", () => {
  test("that repeat are one Event, whose count is written at the first repeat and then once a minute", () => {
    const series = newSeries();
    expect(series.record(event("a"), at(0))).toEqual({ kind: "create", name: "a.0" });
    expect(series.record(event("a"), at(1))).toEqual({ kind: "count", name: "a.0", count: 2 });
    for (let i = 2; i < 60; i++) expect(series.record(event("a"), at(i))).toEqual({ kind: "nothing" });
    expect(series.record(event("a"), at(61))).toEqual({ kind: "count", name: "a.0", count: 61 });
  });

  test("that come again after six minutes are a new Event", () => {
    const series = newSeries();
    series.record(event("a"), at(0));
    expect(series.record(event("a"), at(359)).kind).toBe("count");
    expect(series.record(event("a"), at(359 + 360))).toEqual({ kind: "create", name: "a.1" });
  });

  test("whose Event is gone are a new one", () => {
    const series = newSeries();
    series.record(event("a"), at(0));
    series.forget(event("a"));
    expect(series.record(event("a"), at(1))).toEqual({ kind: "create", name: "a.1" });
  });

  test("of one object with ever new words are told ten at once and then two a minute, of others meanwhile all", () => {
    const series = newSeries();
    const created = (name: string, seconds: number) =>
      Array.from({ length: 100 }, (_, i) => series.record(event(name, `note ${seconds} ${i}`), at(seconds))).filter(
        ({ kind }) => kind === "create",
      ).length;
    expect(created("a", 0)).toBe(10);
    expect(created("a", 60)).toBe(2);
    expect(created("b", 60)).toBe(10);
    expect(series.dropped).toBe(278);
  });

  test("of a whole fleet at once are told a hundred, and ten a second from then on", () => {
    const series = newSeries();
    const created = (seconds: number) =>
      Array.from({ length: 1000 }, (_, i) => series.record(event(`n${seconds}-${i}`), at(seconds))).filter(
        ({ kind }) => kind === "create",
      ).length;
    expect(created(0)).toBe(100);
    expect(created(1)).toBe(10);
  });
});
