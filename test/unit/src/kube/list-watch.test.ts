import { describe, expect, test } from "bun:test";
import type { Duration } from "../../../../src/base/duration.ts";
import {
  type Answer,
  failing,
  gone,
  item,
  list,
  openWatch,
  refusing,
  started,
} from "../../../support/scripted-source.ts";

describe("list-watch", () => {
  test("lists, watches from the list's version and passes events on", async () => {
    const script = await started("api-server", [list("100", ["a"]), openWatch]);
    await script.send("ADDED", item("b", "101"));
    await script.send("MODIFIED", item("a", "102"));
    await script.send("DELETED", item("b", "103"));
    expect(script.summary()).toEqual(["list trusted a", "connected", "live upsert b", "live upsert a", "delete d/b"]);
    expect(script.calls.map((c) => c.path)).toEqual(["/api/v1/services", "/api/v1/services"]);
    expect(script.calls[0]?.query).toEqual({ limit: "500" });
    expect(script.watch.query).toMatchObject({ resourceVersion: "100", allowWatchBookmarks: "true" });
    expect(script.watch.init.headers).toMatchObject({ authorization: "Bearer t", "user-agent": "selvedge/1" });
    await script.scope.close();
  });

  test("follows the pages of a list", async () => {
    const script = await started("api-server", [
      list("100", ["a"], { continue: "next" }),
      list("100", ["b"]),
      openWatch,
    ]);
    expect(script.calls[1]?.query).toEqual({ limit: "500", continue: "next" });
    expect(script.summary()[0]).toBe("list trusted a,b");
    await script.scope.close();
  });

  test("lists unpaged when the continue token has expired", async () => {
    const script = await started("api-server", [
      list("100", ["a"], { continue: "next" }),
      gone(),
      list("105", ["b"]),
      openWatch,
    ]);
    expect(script.calls[2]?.query).toEqual({});
    expect(script.summary()[0]).toBe("list trusted b");
    await script.scope.close();
  });

  test("goes on from the last bookmark, without a list, when a watch ends or breaks", async () => {
    const script = await started("api-server", [list("100", []), openWatch]);
    await script.send("BOOKMARK", { kind: "Service", metadata: { resourceVersion: "150" } });
    await script.advanceBySeconds(10);
    await script.endWatch();
    expect(script.watch.query.resourceVersion).toBe("150");
    script.watch.stream?.error(new Error("reset"));
    await script.advanceBySeconds(1);
    expect(script.watch.query.resourceVersion).toBe("150");
    expect(script.calls.map((c) => c.query.watch ?? "list")).toEqual(["list", "true", "true", "true"]);
    expect(script.summary()).toEqual(["list trusted ", "connected"]);
    await script.scope.close();
  });

  test.each(["in the stream", "as an answer"])("lists again on 410 %s", async (how) => {
    const answers = how === "in the stream" ? [openWatch] : [gone()];
    const script = await started("api-server", [list("100", ["a"]), ...answers, list("200", ["b"]), openWatch]);
    if (how === "in the stream") await script.send("ERROR", { code: 410, message: "too old" });
    // Half of the minute over which a fleet's lists are spread, as the random number is here.
    await script.advanceBySeconds(29);
    script.listWatch.hurry();
    expect(script.summary()).toEqual(["list trusted a", "connected"]);
    await script.advanceBySeconds(2);
    expect(script.summary()).toEqual(["list trusted a", "connected", "list trusted b"]);
    expect(script.watch.query.resourceVersion).toBe("200");
    await script.scope.close();
  });

  test("a source of a handful of devices is asked for a list at once after a 410", async () => {
    const script = await started("hub", [list("100", ["a"]), gone(), list("200", ["b"]), openWatch]);
    await script.advanceBySeconds(1);
    expect(script.summary()).toEqual(["list trusted a", "connected", "list trusted b"]);
    await script.scope.close();
  });

  test("asked to wait by who is overloaded, it does", async () => {
    const busy: Answer = () => Response.json({ code: 429 }, { status: 429, headers: { "retry-after": "30" } });
    const script = await started("api-server", [busy, list("100", ["a"]), openWatch]);
    await script.advanceBySeconds(29);
    expect(script.calls.length).toBe(1);
    await script.advanceBySeconds(2);
    expect(script.summary()).toEqual(["disconnected KUBE_BUSY", "list trusted a", "connected"]);
    await script.scope.close();
  });

  test("a storm of 410 is met with longer and longer pauses", async () => {
    let listed = 0;
    const answer: Answer = (call) => {
      if (call.query.watch === "true") return gone()(call);
      listed += 1;
      return list("100", [])(call);
    };
    const script = await started("api-server", [answer]);
    await script.advanceBySeconds(600);
    expect(listed).toBeGreaterThan(5);
    expect(listed).toBeLessThan(25);
    await script.scope.close();
  });

  test("a source that is away is tried with pauses from half a second to a minute, jittered", async () => {
    const script = await started("api-server", [failing], () => 0.999999);
    await script.advanceBySeconds(600);
    const gaps = script.calls.slice(1).map((call, i) => Math.round(call.at - (script.calls[i]?.at ?? 0)));
    expect(gaps.slice(0, 9)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    expect(script.summary()[0]).toBe("disconnected KUBE_UNREACHABLE");
    await script.scope.close();
  });

  test("a half-open connection is noticed within 90 s, and the watch goes on where it was", async () => {
    const script = await started("api-server", [list("100", []), openWatch]);
    await script.advanceBySeconds(89);
    expect(script.calls.length).toBe(2);
    await script.advanceBySeconds(2);
    expect(script.calls.length).toBe(3);
    expect(script.watch.query.resourceVersion).toBe("100");
    await script.scope.close();
  });

  test("a source that counts from further back keeps watches open and silent: the third request is a list", async () => {
    const script = await started("api-server", [list("900", []), openWatch, openWatch, list("5", ["a"]), openWatch]);
    await script.advanceBySeconds(200);
    expect(script.calls.slice(1, 3).map((call) => call.query.resourceVersion)).toEqual(["900", "900"]);
    expect(script.summary().at(-1)).toBe("list trusted a");
    expect(script.watch.query.resourceVersion).toBe("5");
    await script.scope.close();
  });

  test("a stream that drips without ever ending a line is given up too", async () => {
    const script = await started("api-server", [list("100", []), openWatch]);
    for (let i = 0; i < 7; i++) {
      await script.advanceBySeconds(15);
      if (script.calls.length === 2) await script.raw("x");
    }
    await script.advanceBySeconds(1);
    expect(script.calls.length).toBe(3);
    await script.scope.close();
  });

  test("no answer within 30 s is no answer", async () => {
    const script = await started("metaserver", [
      (call) =>
        new Promise((_, reject) => call.init.signal.addEventListener("abort", () => reject(new Error("abort")))),
    ]);
    await script.advanceBySeconds(29);
    expect(script.calls.length).toBe(1);
    await script.advanceBySeconds(2);
    expect(script.calls.length).toBe(2);
    expect(String(script.events[0]?.type === "state" && script.events[0].error)).toContain("no answer within 30s");
    await script.scope.close();
  });

  test("one object that cannot be read is reported and costs nothing else", async () => {
    const broken = { ...item("broken", "1"), bad: true };
    const script = await started("api-server", [
      () => Response.json({ metadata: { resourceVersion: "9" }, items: [item("a", "1"), broken, 7, { kind: "Pod" }] }),
      openWatch,
    ]);
    await script.send("MODIFIED", { ...item("a", "10"), bad: true });
    await script.send("ADDED", item("b", "11"));
    const [first] = script.events;
    expect(first?.type === "list" && [first.items.map((i) => i.value), first.rejected.map((r) => r.key)]).toEqual([
      ["a"],
      ["d/broken", undefined, undefined],
    ]);
    expect(script.summary().slice(2)).toEqual(["rejected d/a: bad", "live upsert b"]);
    await script.scope.close();
  });

  test("a line that makes no sense is reported, and a list follows the watch as an event was missed", async () => {
    const script = await started("api-server", [list("100", []), openWatch, list("100", ["a"]), openWatch]);
    await script.raw("garbage\n");
    await script.send("ADDED", item("b", "101"));
    await script.advanceBySeconds(10);
    await script.endWatch();
    expect(script.summary().slice(2)).toEqual([
      "rejected undefined: not a watch event",
      "live upsert b",
      "list trusted a",
    ]);
    await script.scope.close();
  });

  test("a stream of nothing but garbage is left", async () => {
    const script = await started("api-server", [list("100", []), openWatch]);
    await script.raw("garbage\n".repeat(150));
    await script.advanceBySeconds(1);
    expect(script.summary().filter((line) => line.startsWith("rejected")).length).toBe(99);
    expect(script.calls.length).toBeGreaterThan(2);
    await script.scope.close();
  });

  test("told that the source is back, it does not wait for the end of its back-off, which stays what it was", async () => {
    const script = await started("api-server", [failing]);
    await script.advanceBySeconds(3600);
    const calls = script.calls.length;
    await script.advanceBySeconds(1);
    expect(script.calls.length).toBe(calls);
    script.listWatch.hurry();
    await script.advanceBySeconds(1);
    expect(script.calls.length).toBe(calls + 1);
    await script.advanceBySeconds(20);
    expect(script.calls.length).toBe(calls + 1);
    await script.scope.close();
  });

  test("asked for a list, it ends the watch for it", async () => {
    const script = await started("api-server", [list("100", ["a"]), openWatch, list("101", ["b"]), openWatch]);
    script.listWatch.relist();
    await script.advance(0 as Duration);
    expect(script.summary()).toEqual(["list trusted a", "connected", "list trusted b"]);
    await script.scope.close();
  });

  test("a version that the source keeps refusing is given up for a list", async () => {
    const tooLarge: Answer = () => Response.json({ code: 504, message: "Too large resource version" }, { status: 504 });
    const script = await started("api-server", [
      list("900", []),
      ...Array<Answer>(3).fill(tooLarge),
      list("5", []),
      openWatch,
    ]);
    await script.advanceBySeconds(10);
    expect(script.watch.query.resourceVersion).toBe("5");
    await script.scope.close();
  });

  const busy: Answer = () => Response.json({ code: 429, message: "too many requests" }, { status: 429 });
  test.each([
    ["that is too busy for a watch", busy],
    ["that was out of reach", failing],
  ])("a source %s is not asked for a list of everything", async (_, answer) => {
    const script = await started("api-server", [list("900", []), ...Array<Answer>(6).fill(answer), openWatch]);
    await script.advanceBySeconds(120);
    expect(script.calls.length).toBeGreaterThan(7);
    expect(script.calls.slice(1).map(({ query }) => query.watch)).not.toContain(undefined);
    expect(script.watch.query.resourceVersion).toBe("900");
    await script.scope.close();
  });

  test("watches that keep ending at once, without an error, are given up for a list", async () => {
    const rubbish: Answer = () => new Response('{"kind": [[[');
    const script = await started("api-server", [list("900", []), rubbish]);
    await script.advanceBySeconds(20);
    expect(script.calls.slice(1).some(({ query }) => query.watch === undefined)).toBeTrue();
    expect(script.summary().at(-1)).toContain("KUBE_BAD_RESPONSE");
    await script.scope.close();
  });

  test("closing its scope ends everything", async () => {
    const script = await started("api-server", [list("100", []), openWatch]);
    await script.scope.close();
    expect(script.watch.init.signal.aborted).toBe(true);
    expect(script.clock.pending).toBe(0);
  });
});

describe("list-watch of a lite-apiserver", () => {
  test("a type that was never cached is empty and not the cloud's word; watches that end at once are backed off", async () => {
    const answer: Answer = (call) =>
      call.query.watch === "true" ? new Response("") : Response.json({ code: 404 }, { status: 404 });
    const script = await started("lite-apiserver", [answer]);
    await script.advanceBySeconds(60);
    expect(script.summary()[0]).toBe("list untrusted ");
    expect(script.calls.length).toBeLessThan(20);
    await script.scope.close();
  });

  test("a live event after an untrusted list says that the cloud is back: a list follows", async () => {
    const missing: Answer = () => Response.json({ code: 404 }, { status: 404 });
    const script = await started("lite-apiserver", [missing, openWatch, list("100", ["b"]), openWatch]);
    await script.send("ADDED", item("a", "7"));
    await script.advanceBySeconds(6);
    expect(script.calls.length).toBe(2);
    await script.send("MODIFIED", item("b", "99"));
    await script.advance(0 as Duration);
    expect(script.summary().slice(-2)).toEqual(["list trusted b", "connected"]);
    await script.scope.close();
  });

  test("elsewhere a 404 is an error", async () => {
    const script = await started("api-server", [() => Response.json({ code: 404 }, { status: 404 })]);
    expect(script.summary()).toEqual(["disconnected KUBE_NOT_FOUND"]);
    await script.scope.close();
  });
});

describe("list-watch of a proxy that keeps what it passes on", () => {
  test.each(["lite-apiserver", "yurthub"] as const)(
    "%s: cut off from its cloud, it still has all that it was asked for",
    async (source) => {
      const all = ["a", "b", "c"];
      let kept: string | undefined;
      let online = true;
      // As theirs are, its cache knows nothing of limit and continue.
      const answer: Answer = (call) => {
        if (call.query.watch === "true") return openWatch(call);
        if (!online) return new Response(kept);
        const from = Number(call.query.continue ?? 0);
        const names = call.query.limit === undefined ? all : all.slice(from, from + 2);
        const more = from + names.length < all.length ? { continue: String(from + names.length) } : {};
        const items = names.map((name) => item(name, "1"));
        kept = JSON.stringify({ metadata: { resourceVersion: "100", ...more }, items });
        return new Response(kept);
      };
      const script = await started(source, [answer]);
      online = false;
      script.listWatch.relist();
      await script.advance(0 as Duration);
      expect(script.summary().filter((event) => event.startsWith("list"))).toEqual([
        "list trusted a,b,c",
        "list trusted a,b,c",
      ]);
      await script.scope.close();
    },
  );
});

describe("of what a source need not have", () => {
  /** How long each list waited for, in whole seconds: with 0.5 as the random number, three quarters of the longest. */
  const pauses = (calls: readonly { readonly at: number }[]) =>
    calls.slice(1).map((call, i) => Math.floor((call.at - (calls[i]?.at ?? 0)) / 1000));

  test.each([404, 403, 400, 500])("it is asked rarely, and for a list each time, when it says %d", async (status) => {
    const script = await started("api-server", [refusing(status)], () => 0.5, true);
    await script.advanceBySeconds(1400);
    expect(pauses(script.calls)).toEqual([7, 30, 120, 450, 450]);
    expect(script.calls.every(({ query }) => query.watch === undefined)).toBeTrue();
    expect(new Set(script.summary()).size).toBe(1);
    expect(script.summary()[0]).toStartWith("disconnected KUBE_");
    await script.scope.close();
  });

  test("a metaServer that has only its own word is asked as rarely, and no watch goes through it to the cloud", async () => {
    const script = await started("metaserver", [list(undefined, [])], () => 0.5, true);
    await script.advanceBySeconds(200);
    expect(pauses(script.calls)).toEqual([7, 30, 120]);
    expect(script.calls.every(({ query }) => query.watch === undefined)).toBeTrue();
    expect(script.summary().slice(0, 2)).toEqual(["list untrusted ", "disconnected KUBE_CLOUD_ABSENT"]);
    await script.scope.close();
  });

  test.each([
    ["api-server", refusing(404)],
    ["metaserver", list(undefined, [])],
  ] as const)(
    "%s is asked at once when it is known to be back, and followed if it has it by then",
    async (kind, no) => {
      const script = await started(kind, [no, no, list("100", ["a"]), openWatch], () => 0.5, true);
      await script.advanceBySeconds(8);
      expect(script.calls.length).toBe(2);
      script.listWatch.hurry();
      await script.advanceBySeconds(1);
      expect(script.summary().slice(-2)).toEqual(["list trusted a", "connected"]);
      expect(script.calls.slice(0, 4).map(({ query }) => query.watch ?? "list")).toEqual([
        "list",
        "list",
        "list",
        "true",
      ]);
      await script.scope.close();
    },
  );

  test("that it is out of reach is tried as often as of everything", async () => {
    const script = await started("api-server", [failing], () => 0.5, true);
    await script.advanceBySeconds(6);
    expect(pauses(script.calls)).toEqual([0, 0, 1, 3]);
    await script.scope.close();
  });

  test("what was there, and is refused from one day on, is a list that comes later, and nothing is deleted", async () => {
    const script = await started("api-server", [list("1", ["a"]), openWatch, refusing(404)], () => 0.5, true);
    await script.advanceBySeconds(10);
    await script.endWatch();
    await script.advanceBySeconds(60);
    expect(script.calls.map(({ query }) => query.watch ?? "list")).toEqual(["list", "true", "true", "list", "list"]);
    expect(script.summary()).toEqual(["list trusted a", "connected", ...Array(3).fill("disconnected KUBE_NOT_FOUND")]);
    await script.scope.close();
  });
});
