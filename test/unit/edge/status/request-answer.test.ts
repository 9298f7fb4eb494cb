import { describe, expect, test } from "bun:test";
import type { ControlHandlers } from "../../../../edge/status/control.ts";
import { answerQuestion, type Surface } from "../../../../edge/status/request-answer.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";
import { agentHandlers, FAILED } from "../../../support/agent-handlers.ts";

async function ask(target: string, surface: Surface, handlers: Partial<ControlHandlers> = {}, method = "GET") {
  const url = new URL(target, "http://agent");
  const question = { method, path: url.pathname, query: url.searchParams };
  const answer = await answerQuestion(question, surface, agentHandlers(handlers));
  return { ...answer, json: () => JSON.parse(answer.body) };
}

describe("the open pages", () => {
  test("livez does not look at conditions, only at the process", async () => {
    expect(await ask("/livez", "http", { conditions: () => [FAILED] })).toMatchObject({ status: 200, body: "ok" });
    expect(await ask("/livez", "http", { alive: () => false })).toMatchObject({ status: 503 });
  });

  test("readyz fails with a failed component and can leave it out; healthz is the same", async () => {
    for (const page of ["readyz", "healthz"]) {
      const failing = { conditions: () => [FAILED] };
      expect((await ask(`/${page}`, "http", failing)).status).toBe(503);
      expect((await ask(`/${page}?exclude=dns`, "http", failing)).status).toBe(200);
      expect((await ask(`/${page}?verbose`, "http", {})).body).toContain("[+]dns ok");
    }
  });

  test("metrics, version and statusz answer", async () => {
    expect(await ask("/metrics", "http")).toMatchObject({ status: 200, body: "selvedge_up 1\n" });
    expect((await ask("/version", "http")).json()).toEqual({ version: "0.1.0" });
    expect((await ask("/statusz", "http")).body).toBe("Node edge-1\n");
  });

  test("what needs root is not there over HTTP", async () => {
    for (const page of [
      "/v1/status",
      "/v1/tunnels",
      "/v1/peers",
      "/v1/services",
      "/v1/resolve?name=a",
      "/",
      "/nothing",
    ]) {
      expect((await ask(page, "http")).status).toBe(404);
    }
  });
});

describe("the control socket", () => {
  test("documents carry their version and kind", async () => {
    expect((await ask("/v1/status", "control")).json()).toMatchObject({ apiVersion: "selvedge.io/v1", kind: "Status" });
    const list = (await ask("/v1/services?namespace=default&name=web", "control")).json();
    expect(list).toMatchObject({ apiVersion: "selvedge.io/v1", kind: "ServiceList", items: [{ name: "web" }] });
    expect(list.items).toHaveLength(1);
    expect((await ask("/v1/services", "control")).json().items).toHaveLength(2);
    expect((await ask("/v1/resolve?name=web&type=AAAA", "control")).json()).toMatchObject({
      name: "web",
      type: "AAAA",
    });
  });

  test("tunnels and peers are the same, seen from two sides", async () => {
    const tunnels = (await ask("/v1/tunnels", "control")).json();
    expect(tunnels).toMatchObject({ kind: "TunnelList", items: [{ peer: "paris.connector" }, { peer: "paris.e2" }] });
    const peers = (await ask("/v1/peers", "control")).json();
    expect(peers).toMatchObject({
      kind: "PeerList",
      items: [
        { name: "paris.connector", path: "ipsec", via: "198.51.100.2", trouble: null },
        { name: "paris.e2", path: "down", via: null, trouble: { code: "TUNNEL_UNANSWERED" } },
      ],
    });
    for (const page of ["tunnels", "peers"]) {
      expect((await ask(`/v1/${page}?name=paris.e2`, "control")).json().items).toHaveLength(1);
      expect((await ask(`/v1/${page}?name=nobody`, "control")).json().items).toEqual([]);
    }
  });

  test("an error keeps its code and hint, and its blame decides the status", async () => {
    const refuse = (blame: "user" | "peer") => async () => {
      throw new SelvedgeError("Cannot resolve", { code: "EXAMPLE", blame, retry: "never", hint: "Ask for less." });
    };
    const refused = await ask("/v1/resolve", "control", { resolve: refuse("user") });
    expect(refused.status).toBe(400);
    expect(refused.json()).toMatchObject({ kind: "Error", code: "EXAMPLE", hint: "Ask for less." });
    expect((await ask("/v1/resolve", "control", { resolve: refuse("peer") })).status).toBe(503);
    const broken = () => {
      throw new Error("oops");
    };
    expect((await ask("/v1/status", "control", { status: broken })).status).toBe(500);
  });

  test("nothing can be written", async () => {
    expect((await ask("/v1/status", "control", {}, "POST")).status).toBe(405);
  });
});
