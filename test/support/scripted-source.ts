import type { Duration } from "../../src/base/duration.ts";
import { seconds } from "../../src/base/duration.ts";
import { Scope } from "../../src/base/scope.ts";
import { type FetchInit, KubeClient } from "../../src/kube/client.ts";
import { ListWatch } from "../../src/kube/list-watch.ts";
import type { ListWatchEvent } from "../../src/kube/list-watch-event.ts";
import { SERVICES } from "../../src/kube/resource.ts";
import { TRAITS } from "../../src/kube/traits.ts";
import type { SourceKind } from "../../src/kube/trust.ts";
import { SteppedClock } from "./stepped-clock.ts";

interface Query {
  readonly watch?: string;
  readonly resourceVersion?: string;
  readonly timeoutSeconds?: string;
  readonly limit?: string;
  readonly continue?: string;
}

interface Call {
  readonly path: string;
  readonly query: Query;
  readonly init: FetchInit;
  readonly at: number;
  /** The open body of a watch. */
  stream: ReadableStreamDefaultController<Uint8Array> | undefined;
}

export type Answer = (call: Call) => Response | Promise<Response>;

export function list(resourceVersion: string | undefined, names: readonly string[], more: object = {}): Answer {
  const items = names.map((name) => item(name, "1"));
  return () => Response.json({ metadata: { ...(resourceVersion ? { resourceVersion } : {}), ...more }, items });
}

export function item(name: string, resourceVersion: string) {
  return { metadata: { namespace: "d", name, uid: `uid-${name}`, resourceVersion } };
}

export const openWatch: Answer = (call) =>
  new Response(
    new ReadableStream<Uint8Array>({
      start(controller) {
        call.stream = controller;
        // As fetch does: aborting fails the body.
        call.init.signal.addEventListener("abort", () => controller.error(call.init.signal.reason));
      },
    }),
  );

export const failing: Answer = () => Promise.reject(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }));

export function refusing(status: number): Answer {
  return () => Response.json({ code: status, message: "no" }, { status });
}

export function gone(): Answer {
  return refusing(410);
}

/** A source whose answers are scripted, one for each request; the last is repeated. */
export class Script {
  readonly clock = new SteppedClock();
  readonly calls: Call[] = [];
  readonly events: ListWatchEvent<string>[] = [];
  readonly scope = new Scope();
  readonly listWatch: ListWatch<string>;
  readonly #answers: Answer[];

  constructor(source: SourceKind, answers: readonly Answer[], random = () => 0.5, optional = false) {
    this.#answers = [...answers];
    const endpoint = { url: "http://h", credentials: async () => ({ token: "t", tls: undefined }) };
    const fetch = async (url: string, init: FetchInit) => {
      const { pathname, searchParams } = new URL(url);
      const call: Call = {
        path: pathname,
        query: Object.fromEntries(searchParams) as Query,
        init,
        at: this.clock.now(),
        stream: undefined,
      };
      this.calls.push(call);
      const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
      if (answer === undefined) throw new Error("no answer in the script");
      return await answer(call);
    };
    this.listWatch = new ListWatch({
      client: new KubeClient(endpoint, "selvedge/1", fetch, this.clock),
      source,
      decoder: {
        resource: SERVICES,
        decode: (json) => {
          const { metadata, bad } = json as { metadata: { name: string }; bad?: boolean };
          return bad ? { ok: false, error: { at: "spec", why: "bad" } } : { ok: true, value: metadata.name };
        },
      },
      emit: (event) => this.events.push(event),
      spread: TRAITS[source].spread,
      optional,
      clock: this.clock,
      random,
    });
    this.listWatch.start(this.scope);
  }

  get watch(): Call {
    const call = this.calls.findLast((c) => c.query.watch === "true");
    if (call === undefined) throw new Error("no watch yet");
    return call;
  }

  /** Sends an event down the open watch. */
  async send(type: string, object: unknown): Promise<void> {
    await this.raw(`${JSON.stringify({ type, object })}\n`);
  }

  async raw(text: string): Promise<void> {
    this.watch.stream?.enqueue(new TextEncoder().encode(text));
    await this.advance(0 as Duration);
  }

  async endWatch(): Promise<void> {
    this.watch.stream?.close();
    await this.advance(0 as Duration);
  }

  /** Body readers take turns of the event loop, not only promises. */
  async advance(by: Duration): Promise<void> {
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    await this.clock.advance(by);
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
  }

  async advanceBySeconds(n: number): Promise<void> {
    for (let i = 0; i < n; i++) await this.advance(seconds(1));
  }

  summary(): readonly string[] {
    return this.events.map(summarize);
  }
}

function summarize(event: ListWatchEvent<string>): string {
  switch (event.type) {
    case "list":
      return `list ${event.authoritative ? "trusted" : "untrusted"} ${event.items.map((i) => i.value).join()}`;
    case "upsert":
      return `${event.origin} upsert ${event.object.value}`;
    case "delete":
      return `delete ${event.object.key}`;
    case "rejected":
      return `rejected ${event.rejected.key}: ${event.rejected.why}`;
    case "state":
      return event.connected ? "connected" : `disconnected ${event.error.code}`;
  }
}

export async function started(...of: ConstructorParameters<typeof Script>): Promise<Script> {
  const script = new Script(...of);
  await script.advance(0 as Duration);
  return script;
}
