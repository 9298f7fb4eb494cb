import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Clock, MonotonicTime } from "../../../../src/base/clock.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { errorCode } from "../../../../src/base/errors.ts";
import { CharonCommands } from "../../../../src/strongswan/charon-commands.ts";
import { ViciSession } from "../../../../src/strongswan/vici-session.ts";
import { encodeViciPacket } from "../../../../src/wire/vici.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { tunnelConnection } from "../../../support/association-objects.ts";
import { FakeCharon } from "../../../support/fake-charon.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

let charon: FakeCharon;
let clock: SteppedClock;
let session: ViciSession;
const heard: string[] = [];

beforeEach(async () => {
  charon = await FakeCharon.start();
  clock = new SteppedClock();
  heard.length = 0;
  session = await ViciSession.open(charon.path, clock, (name, message) => heard.push(`${name} ${message.text("msg")}`));
});
afterEach(async () => {
  session.close();
  await charon[Symbol.asyncDispose]();
});

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error) => errorCode(error),
  );

describe("a session", () => {
  test("asks one thing after the other, and gives each its own answer", async () => {
    charon.answers.set("stats", () => ({ n: 1 }));
    charon.answers.set("version", () => ({ n: 2 }));
    const answers = await Promise.all(["stats", "version", "stats"].map((command) => session.request(command)));
    expect(answers.map((answer) => answer.number("n"))).toEqual([1, 2, 1]);
    expect([charon.asked, charon.mostUnanswered]).toEqual([["stats", "version", "stats"], 1]);
  });

  test("hears events at any time, also while an answer comes in parts", async () => {
    const event = (name: string, msg: string) => encodeViciPacket({ type: "event", name, fields: { msg } });
    const response = encodeViciPacket({ type: "command-response", fields: {} });
    const stream = Buffer.concat([event("list-sa", "one"), event("log", "between"), event("list-sa", "two"), response]);
    charon.answers.set("list-sas", () => stream);
    const parts: (string | undefined)[] = [];
    await session.stream("list-sas", "list-sa", {}, (part) => parts.push(part.text("msg")));
    expect(parts).toEqual(["one", "two"]);
    expect(heard).toEqual(["log between"]);
    charon.raise("log", { msg: "later" });
    await waitFor("the event", () => heard.length === 2);
  });

  test("that gets no answer in two seconds ends, and with it everything that waits", async () => {
    charon.answers.set("stats", () => "silence");
    const [first, second] = [code(session.request("stats")), code(session.request("version"))];
    await waitFor("the question", () => charon.asked.length === 1);
    await clock.advance(seconds(1.9));
    expect(clock.pending).toBe(1);
    await clock.advance(seconds(0.1));
    expect(await Promise.all([first, second])).toEqual(["CHARON_SILENT", "CHARON_SILENT"]);
    expect(await code(session.request("version"))).toBe("CHARON_SILENT");
    expect((await session.closed).code).toBe("CHARON_SILENT");
    await waitFor("the end of the connection", () => charon.sessions === 0);
    expect(clock.pending).toBe(0);
  });

  test("that stood still itself reads what has come meanwhile before it takes charon for silent", async () => {
    const timers = new Set<() => void>();
    const stalled: Clock = {
      now: () => 0 as MonotonicTime,
      wall: () => 0,
      after: (_, run) => {
        timers.add(run);
        return { cancel: () => void timers.delete(run) };
      },
    };
    const own = await ViciSession.open(charon.path, stalled, () => {});
    const answer = code(own.request("version"));
    // As after a pause: all that has fallen due runs before anything is read.
    for (const run of [...timers]) {
      timers.delete(run);
      run();
    }
    expect(await answer).toBe("none");
    expect(timers.size).toBe(0);
    own.close();
  });

  test("is patient with an answer that goes on coming", async () => {
    const part = encodeViciPacket({ type: "event", name: "list-sa", fields: {} });
    charon.answers.set("list-sas", () => part);
    let parts = 0;
    const answer = code(session.stream("list-sas", "list-sa", {}, () => (parts += 1)));
    for (let i = 1; i <= 5; i++) {
      await waitFor("a part", () => parts === i);
      await clock.advance(seconds(1.5));
      charon.raise("list-sa", {});
    }
    await waitFor("the last part", () => parts === 6);
    await clock.advance(seconds(2));
    expect(await answer).toBe("CHARON_SILENT");
  });

  test("ends when charon hangs up, in the middle of an answer too", async () => {
    charon.answers.set("stats", () => "hang up");
    expect(await code(session.request("stats"))).toBe("CHARON_ABSENT");
  });

  test("that cannot be opened says so", async () => {
    await charon.stop();
    expect(await code(ViciSession.open(charon.path, clock, () => {}))).toBe("CHARON_ABSENT");
  });

  test.each([
    ["half an answer, and then another packet", Buffer.from("0000000a01030373746100000001020000", "hex")],
    ["a packet of four gigabytes", Buffer.from("ffffffff01", "hex")],
    ["a packet of nothing", Buffer.from("00000000", "hex")],
    ["a list without an end", Buffer.from("0000000401040161", "hex")],
    ["an answer to nobody, behind the answer", Buffer.from("00000001010000000101", "hex")],
    ["a request", encodeViciPacket({ type: "command-request", name: "stats", fields: {} })],
    ["a confirmation of an event", encodeViciPacket({ type: "event-confirm" })],
    ["that it does not know the command", encodeViciPacket({ type: "command-unknown" })],
  ])("that is sent %s does not take it for an answer", async (_, bytes) => {
    charon.answers.set("stats", () => bytes);
    const outcome = code(session.request("stats"));
    // An answer of its own is one; what comes behind it ends the session.
    if (bytes.toHex().startsWith("0000000101")) {
      expect(await outcome).toBe("none");
      expect((await session.closed).code).toBe("CHARON_STRANGE");
    } else expect(await outcome).toBe("CHARON_STRANGE");
  });

  test("takes no more than 64 questions that wait, and none that charon would refuse", async () => {
    charon.answers.set("stats", () => "silence");
    const questions = Array.from({ length: 66 }, () => code(session.request("stats")));
    expect(await questions[65]).toBe("CHARON_LIMIT");
    const [first] = tunnelConnection().children[0]?.local ?? [];
    const local = Array.from({ length: 30_000 }, () => first).filter((prefix) => prefix !== undefined);
    const child = { name: "paris.e2-p2p", local, remote: local };
    const giant = tunnelConnection({ children: [child] });
    const another = await ViciSession.open(charon.path, clock, () => {});
    expect(await code(new CharonCommands(another).loadConnection(giant, []))).toBe("CHARON_LIMIT");
    expect(await code(new CharonCommands(another).version())).toBe("none");
    another.close();
  });
});

describe("commands", () => {
  test("say what charon does not like, in its words", async () => {
    charon.answers.set("load-conn", () => ({
      success: false,
      errmsg: "invalid value for: remote_ts, config discarded",
    }));
    const refused = new CharonCommands(session).loadConnection(tunnelConnection(), []);
    expect(await code(refused)).toBe("CHARON_REFUSED");
    expect(await refused.catch(String)).toContain("paris.e2 as charon refuses it: invalid value for: remote_ts");
  });

  test("read what they know and leave out what they do not", async () => {
    const sa = { uniqueid: 3, state: "FUTURE", "local-host": "10.0.0.1", "remote-host": "fd00::1", "new-key": ["x"] };
    const broken = { uniqueid: "many", state: "ESTABLISHED", "local-host": "10.0.0.1", "remote-host": "10.0.0.2" };
    const parts = [{ "paris.e2": sa }, { "paris.e3": broken }, { surprise: "text" }];
    const events = parts.map((fields) => encodeViciPacket({ type: "event", name: "list-sa", fields }));
    const response = encodeViciPacket({ type: "command-response", fields: { unknown: "yes" } });
    charon.answers.set("list-sas", () => Buffer.concat([...events, response]));
    const associations = await new CharonCommands(session).associations();
    expect(associations).toHaveLength(1);
    expect(associations[0]).toMatchObject({ name: "paris.e2", uniqueId: 3, remoteHost: "fd00::1", children: [] });
  });
});
