import { beforeEach, describe, expect, test } from "bun:test";
import type { Backend, Frontend } from "../../../../edge/service/frontend.ts";
import { AffinityMemories, type UserspaceContext } from "../../../../edge/service/userspace-context.ts";
import { planLimits } from "../../../../edge/service/userspace-limits.ts";
import { OpenRelays } from "../../../../edge/service/userspace-open-relays.ts";
import { Leg, Relay } from "../../../../edge/service/userspace-relay.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

/** A socket whose peer takes `room` bytes, and that writes down what is done to it. */
class FakeSocket {
  room = 0;
  readonly done: string[] = [];
  data: Leg | undefined;

  write(data: Uint8Array): number {
    const written = Math.min(this.room, data.length);
    this.room -= written;
    this.done.push(`write ${Buffer.from(data.subarray(0, written))}`);
    return written;
  }

  asSocket(): Bun.Socket<Leg> {
    return this as unknown as Bun.Socket<Leg>;
  }

  shutdown = () => void this.done.push("shutdown");
  terminate = () => void this.done.push("terminate");
  pause = () => void this.done.push("pause");
  resume = () => void this.done.push("resume");
  setKeepAlive = () => true;
}

function context(): UserspaceContext {
  const usage = { connections: 0, attempts: 0, refusedByLimit: 0, closedIdle: 0, connectFailures: 0 };
  const shared = { affinity: new AffinityMemories(), relays: new OpenRelays(), limits: planLimits(1024) };
  return { clock: new SteppedClock(), random: () => 0, isInternal: () => true, usage, ...shared };
}

describe("one end of a connection", () => {
  let reader: FakeSocket;
  let writer: FakeSocket;
  let from: Leg;
  let to: Leg;

  beforeEach(() => {
    reader = new FakeSocket();
    writer = new FakeSocket();
    const none: readonly Backend[] = [];
    const relay = new Relay(context(), new FakeSocket().asSocket(), none, () => {});
    [from, to] = [new Leg(relay), new Leg(relay)];
    [from.other, to.other] = [to, from];
    from.attach(reader.asSocket());
    to.attach(writer.asSocket());
  });

  test("what the peer has no room for is kept, in order, and reading stops until it is written", () => {
    writer.room = 2;
    from.received(Buffer.from("abcd"));
    from.received(Buffer.from("ef"));
    expect([writer.done, reader.done]).toEqual([["write ab"], ["pause"]]);
    writer.room = 3;
    to.drained();
    expect(writer.done.at(-1)).toBe("write cde");
    expect(reader.done).not.toContain("resume");
    writer.room = 10;
    to.drained();
    expect(writer.done.at(-1)).toBe("write f");
    expect(reader.done.at(-1)).toBe("resume");
  });

  test("an end that comes while something is kept is passed on after it", () => {
    writer.room = 1;
    from.received(Buffer.from("ab"));
    from.ended();
    expect(writer.done).toEqual(["write a"]);
    writer.room = 10;
    to.drained();
    expect(writer.done).toEqual(["write a", "write b", "shutdown"]);
  });

  test("an end is passed on at once when nothing is kept, and the other direction goes on", () => {
    reader.room = 10;
    from.ended();
    expect(writer.done).toEqual(["shutdown"]);
    to.received(Buffer.from("late"));
    expect(reader.done).toEqual(["write late"]);
  });

  test("a close with an error, or with something unwritten, is a reset for the other", () => {
    from.closed(new Error("reset"));
    expect(writer.done).toEqual(["terminate"]);
    reader.room = 1;
    to.received(Buffer.from("ab"));
    from.closed(undefined);
    expect(writer.done).toEqual(["terminate", "pause", "terminate"]);
  });

  test("a clean close is an end for the other", () => {
    from.closed(undefined);
    expect(writer.done).toEqual(["shutdown"]);
  });

  test("a peer that is gone ends both", () => {
    writer.write = () => -1;
    from.received(Buffer.from("ab"));
    expect([writer.done, reader.done]).toEqual([["terminate"], ["terminate"]]);
  });
});

test("a service port's memory is shared by its addresses and forgotten with the port", () => {
  const memories = new AffinityMemories();
  const frontend = (portName: string) =>
    ({ service: "default/web", portName, protocol: "TCP", family: 4 }) as unknown as Frontend;
  const first = memories.of(frontend("http"));
  expect(memories.of(frontend("http"))).toBe(first);
  expect(memories.of(frontend("https"))).not.toBe(first);
  memories.forget([frontend("http")], [frontend("http")]);
  expect(memories.of(frontend("http"))).toBe(first);
  memories.forget([frontend("http")], [frontend("https")]);
  expect(memories.of(frontend("http"))).not.toBe(first);
});
