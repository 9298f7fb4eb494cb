import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { FaultProxy } from "../../../support/fault-proxy.ts";

let proxy: FaultProxy;
let upstream: Bun.Server<undefined>;
/** Requests that the server has, and those whose sender has given up. */
let asked = Promise.withResolvers<void>();
let gone = Promise.withResolvers<void>();
/** The server answers then. */
let answer = Promise.withResolvers<void>();

beforeEach(async () => {
  [asked, gone, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  upstream = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      request.signal.addEventListener("abort", () => gone.resolve());
      asked.resolve();
      if (request.url.endsWith("/watch")) return new Response(new ReadableStream({ start: (it) => it.enqueue("{}") }));
      await answer.promise;
      return new Response("answered");
    },
  });
  proxy = await FaultProxy.start(`http://127.0.0.1:${upstream.port}`, undefined);
});
afterEach(async () => {
  answer.resolve();
  await proxy[Symbol.asyncDispose]();
  await upstream.stop(true);
});

/** What comes back until the connection ends, byte by byte: a client of HTTP might try again by itself. */
function ask(method: string, path: string, sent: (text: string) => void = () => {}): Promise<string> {
  const ended = Promise.withResolvers<string>();
  let text = "";
  const { hostname, port } = new URL(proxy.url);
  const socket = connect(Number(port), hostname, () => {
    const body = method === "GET" ? "" : "{}";
    socket.write(`${method} ${path} HTTP/1.1\r\nHost: proxy\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  socket.on("data", (bytes) => {
    text += bytes.toString("latin1");
    sent(text);
  });
  socket.on("error", () => {});
  socket.on("close", () => ended.resolve(text));
  return ended.promise;
}

describe.each(["GET", "PATCH"])("whoever sends a %s", (method) => {
  test("and waits for the server hears nothing at all when it is cut off, and the server hears of it", async () => {
    const heard = ask(method, "/");
    await asked.promise;
    proxy.cutOff();
    expect(await heard).toBe("");
    await gone.promise;
  });

  test("hears nothing at all where the request is cut", async () => {
    proxy.become({ kind: "cut" });
    expect(await ask(method, "/")).toBe("");
    expect(proxy.seen).toMatchObject([{ method, fault: "cut", status: undefined }]);
  });

  test("hears nothing at all where the answer is lost", async () => {
    proxy.become({ kind: "lose" });
    answer.resolve();
    expect(await ask(method, "/")).toBe("");
    expect(proxy.seen).toMatchObject([{ method, fault: "lose", status: 200 }]);
  });

  test("and is kept waiting hears nothing at all when that ends", async () => {
    const chosen = Promise.withResolvers<void>();
    proxy.choose(() => {
      chosen.resolve();
      return { kind: "hang" };
    });
    const heard = ask(method, "/");
    await chosen.promise;
    proxy.become({ kind: "cut" });
    expect(await heard).toBe("");
  });
});

test("a watch that is cut off has no end that looks like one", async () => {
  const event = Promise.withResolvers<void>();
  const heard = ask("GET", "/watch", (text) => text.includes("{}") && event.resolve());
  await event.promise;
  proxy.cutOff();
  const text = await heard;
  expect(text).toStartWith("HTTP/1.1 200");
  expect(text).not.toContain("\r\n0\r\n");
  await gone.promise;
});
