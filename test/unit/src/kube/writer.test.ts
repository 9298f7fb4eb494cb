import { describe, expect, test } from "bun:test";
import { seconds } from "../../../../src/base/duration.ts";
import { errorCode, SelvedgeError } from "../../../../src/base/errors.ts";
import { type FetchInit, KubeClient } from "../../../../src/kube/client.ts";
import { CONFIG_MAPS, NODES } from "../../../../src/kube/resource.ts";
import { KubeWriter } from "../../../../src/kube/writer.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const forever = new AbortController().signal;
const WRITTEN = { metadata: { uid: "u", resourceVersion: "5" } };

function writerOf(answer: (init: FetchInit) => Response | Promise<Response>) {
  const calls: { readonly url: string; readonly init: FetchInit }[] = [];
  const clock = new SteppedClock();
  const endpoint = { url: "http://h", credentials: async () => ({ token: "t", tls: undefined }) };
  const fetch = async (url: string, init: FetchInit) => {
    calls.push({ url, init });
    return await answer(init);
  };
  return { writer: new KubeWriter(new KubeClient(endpoint, "selvedge/1", fetch, clock), "us"), calls, clock };
}

const manifest = { metadata: { namespace: "n", name: "x" }, data: { a: "1" } };

describe("a write", () => {
  test("is one request in the API's words", async () => {
    const { writer, calls } = writerOf(() => Response.json(WRITTEN));
    // As an object in a store is, which has more than that.
    const precondition = { uid: "u", resourceVersion: "4", key: "n/x", value: { "ca.key": "secret" } };
    expect(await writer.apply(CONFIG_MAPS, manifest, forever, { force: true, precondition })).toEqual({
      uid: "u",
      resourceVersion: "5",
    });
    const [{ url, init } = { url: "", init: undefined }] = calls;
    expect(url).toBe("http://h/api/v1/namespaces/n/configmaps/x?force=true&fieldManager=us");
    expect(init).toMatchObject({ method: "PATCH", headers: { "content-type": "application/apply-patch+yaml" } });
    expect(JSON.parse(init?.body ?? "")).toEqual({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "n", name: "x", uid: "u", resourceVersion: "4" },
      data: { a: "1" },
    });
  });

  test("of a name from outside stays at its place in the path", async () => {
    const { writer, calls } = writerOf(() => Response.json(WRITTEN));
    await writer.delete(CONFIG_MAPS, { namespace: "../..", name: "a/b?c" }, {}, forever);
    expect(calls[0]?.url).toBe("http://h/api/v1/namespaces/..%2F../configmaps/a%2Fb%3Fc");
  });

  test("of a resource into the wrong scope is our mistake", async () => {
    const { writer, calls } = writerOf(() => Response.json(WRITTEN));
    await expect(writer.apply(NODES, manifest, forever)).rejects.toThrow("scope");
    await expect(writer.delete(CONFIG_MAPS, { name: "x" }, {}, forever)).rejects.toThrow("scope");
    expect(calls).toEqual([]);
  });

  test("that the server asks to come again with later says when", async () => {
    const headers = { "retry-after": "7" };
    const { writer } = writerOf(() => Response.json({ message: "busy" }, { status: 429, headers }));
    const error = await writer.apply(CONFIG_MAPS, manifest, forever).catch((e) => e);
    expect(error).toBeInstanceOf(SelvedgeError);
    expect([error.code, error.after]).toEqual(["KUBE_BUSY", seconds(7)]);
  });

  test("whose answer is none of the API's is not taken for one", async () => {
    for (const body of ["", "[]", "<html>", "{}", '{"metadata":{"uid":1,"resourceVersion":"5"}}']) {
      const { writer } = writerOf(() => new Response(body));
      expect(await writer.apply(CONFIG_MAPS, manifest, forever).catch(errorCode)).toBe("KUBE_BAD_RESPONSE");
    }
  });

  test("with an answer without an end is given up at 3 MB", async () => {
    let sent = 0;
    const chunk = new Uint8Array(1024 * 1024).fill(0x20);
    const { writer } = writerOf(
      () =>
        new Response(
          new ReadableStream({
            pull: (controller) => {
              sent += 1;
              controller.enqueue(chunk);
            },
          }),
        ),
    );
    expect(await writer.apply(CONFIG_MAPS, manifest, forever).catch(errorCode)).toBe("KUBE_BAD_RESPONSE");
    expect(sent).toBeLessThan(8);
  });

  test("that nobody answers is given up in ten seconds, and at once when it is called off", async () => {
    const hang = (init: FetchInit) =>
      new Promise<Response>((_, reject) => {
        init.signal.throwIfAborted();
        init.signal.addEventListener("abort", () => reject(init.signal.reason));
      });
    const { writer, clock } = writerOf(hang);
    let code = "";
    const writing = writer.apply(CONFIG_MAPS, manifest, forever).catch((error) => {
      code = errorCode(error);
    });
    await clock.advance(seconds(9));
    expect(code).toBe("");
    await clock.advance(seconds(1));
    await writing;
    expect(code).toBe("KUBE_UNREACHABLE");
    const term = new AbortController();
    const other = writer.apply(CONFIG_MAPS, manifest, term.signal).catch(errorCode);
    term.abort();
    expect(await other).toBe("KUBE_UNREACHABLE");
    expect(clock.pending).toBe(0);
  });

  test("of a deletion says whether there was something to delete", async () => {
    const gone = writerOf(() => Response.json({ message: "not found" }, { status: 404 }));
    expect(await gone.writer.delete(CONFIG_MAPS, manifest.metadata, {}, forever)).toBeFalse();
    const there = writerOf(() => Response.json({ kind: "Status", status: "Success" }));
    expect(await there.writer.delete(CONFIG_MAPS, manifest.metadata, { uid: "u" }, forever)).toBeTrue();
    expect(JSON.parse(there.calls[0]?.init.body ?? "")).toMatchObject({ preconditions: { uid: "u" } });
  });
});
