import { describe, expect, test } from "bun:test";
import { type Duration, minutes, seconds } from "../../../../src/base/duration.ts";
import { type Answer, item, list, openWatch, started } from "../../../support/scripted-source.ts";

describe("list-watch of a metaServer", () => {
  const LOCAL = { selfLink: "/core/v1/services/null/null" };
  const opened = seconds(1);

  /** Watches stay open; each list is answered with the next of these, the last of them repeated. */
  function answering(...lists: readonly Answer[]): Answer {
    let next = 0;
    return (call) => {
      if (call.query.watch === "true") return openWatch(call);
      next += 1;
      return (lists[next - 1] ?? lists.at(-1) ?? list("1", []))(call);
    };
  }

  test("a list of its own rows is not trusted, does not count as connected, and is followed by no watch", async () => {
    const script = await started("metaserver", [answering(list("7", ["a"], LOCAL))], () => 0.999999);
    expect(script.summary()).toEqual(["list untrusted a", "disconnected KUBE_CLOUD_ABSENT"]);
    await script.advanceBySeconds(300);
    expect(script.calls.filter(({ query }) => query.watch === "true")).toEqual([]);
    const gaps = script.calls.slice(1).map((call, i) => Math.round((call.at - (script.calls[i]?.at ?? 0)) / 1000));
    expect(gaps.slice(0, 7)).toEqual([2, 4, 8, 16, 32, 60, 60]);
    await script.scope.close();
  });

  test("when the list beside a watch is not the cloud's, the watch ends", async () => {
    const script = await started("metaserver", [answering(list("100", ["a"]), list("7", ["a"], LOCAL))]);
    await script.advanceBySeconds(20);
    expect(script.summary().slice(-2)).toEqual(["list untrusted a", "disconnected KUBE_CLOUD_ABSENT"]);
    expect(script.calls.filter(({ query }) => query.watch === "true").length).toBe(1);
    expect(script.watch.init.signal.aborted).toBeTrue();
    await script.scope.close();
  });

  test("what a watch begins with is replay until the stream falls silent", async () => {
    const script = await started("metaserver", [answering(list("100", []))]);
    await script.send("ADDED", item("ghost", "5"));
    await script.send("ADDED", item("other", "6"));
    await script.advance(opened);
    await script.send("ADDED", item("new", "101"));
    expect(script.summary().slice(2)).toEqual([
      "replay upsert ghost",
      "replay upsert other",
      "list trusted ",
      "live upsert new",
    ]);
    expect(script.watch.query.resourceVersion).toBeUndefined();
    await script.scope.close();
  });

  test("what came between a list and the watch is in the list that is made while the watch is open", async () => {
    const script = await started("metaserver", [answering(list("100", ["a"]), list("101", ["a", "b"]))]);
    await script.advance(opened);
    expect(script.summary()).toEqual(["list trusted a", "connected", "list trusted a,b"]);
    expect(script.calls.length).toBe(3);
    await script.scope.close();
  });

  test("what comes while that list is under way is told after it, unless the list knew of it", async () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    const slow: Answer = () => promise;
    const script = await started("metaserver", [answering(list("100", ["a", "gone"]), slow)]);
    await script.send("ADDED", item("a", "1"));
    await script.advance(opened);
    await script.send("ADDED", item("before", "150"));
    await script.send("DELETED", item("gone", "1"));
    await script.send("ADDED", item("after", "201"));
    expect(script.summary().slice(2)).toEqual(["replay upsert a"]);
    resolve((await list("200", ["a"])(script.watch)) as Response);
    await script.advance(0 as Duration);
    expect(script.summary().slice(3)).toEqual(["list trusted a", "delete d/gone", "live upsert after"]);
    await script.scope.close();
  });

  test("a list that fails while the watch is open loses no event, and both are tried again", async () => {
    const { promise, reject } = Promise.withResolvers<Response>();
    const script = await started("metaserver", [answering(list("100", ["a"]), () => promise, list("100", ["a"]))]);
    await script.send("ADDED", item("a", "1"));
    await script.advance(opened);
    await script.send("ADDED", item("b", "101"));
    reject(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    await script.advanceBySeconds(2);
    expect(script.summary().slice(3, 5)).toEqual(["live upsert b", "list trusted a"]);
    expect(script.calls.filter((call) => call.query.watch === "true").length).toBe(2);
    await script.scope.close();
  });

  test("every watch is short, unlike the last, and has a list", async () => {
    const asked: number[] = [];
    const answer: Answer = (call) => {
      if (call.query.watch !== "true") return list("100", [])(call);
      asked.push(Number(call.query.timeoutSeconds));
      return openWatch(call);
    };
    const script = await started("metaserver", [answer]);
    for (let i = 0; i < 5; i++) {
      await script.advance(minutes(1));
      await script.send("ADDED", item("a", "101"));
      await script.endWatch();
    }
    expect(asked.length).toBe(6);
    for (const [i, timeout] of asked.entries()) {
      expect(timeout).toBeGreaterThanOrEqual(60);
      expect(timeout).toBeLessThanOrEqual(300);
      expect(timeout).not.toBe(asked[i - 1] ?? 0);
    }
    expect(script.summary().filter((line) => line.startsWith("list")).length).toBe(6);
    await script.scope.close();
  });

  test("quiet is normal until the watch's own time-out", async () => {
    const script = await started("metaserver", [answering(list("100", []))]);
    const timeout = Number(script.watch.query.timeoutSeconds);
    await script.advanceBySeconds(timeout + 14);
    expect(script.calls.length).toBe(3);
    await script.advanceBySeconds(3);
    expect(script.calls.length).toBeGreaterThan(3);
    await script.scope.close();
  });
});
