import { describe, expect, test } from "bun:test";
import { answerDiscovery, answerList, watchLine } from "../../../../cloud/hub/answer.ts";
import { parseManifestFile } from "../../../../cloud/hub/manifests.ts";
import { ObjectLog } from "../../../../cloud/hub/object-log.ts";
import { planEvents } from "../../../../cloud/hub/plan.ts";
import { parseLabelSelector } from "../../../../cloud/hub/selector.ts";
import { objectUid } from "../../../../cloud/hub/uid.ts";
import { SERVICES } from "../../../../src/kube/resource.ts";

function logOf(...names: readonly string[]): ObjectLog {
  const log = new ObjectLog(100);
  feed(
    log,
    names.map((name) => ({ name, labels: {} })),
  );
  return log;
}

function feed(log: ObjectLog, services: readonly { name: string; labels: object }[]) {
  const text = services.map((metadata) =>
    JSON.stringify({ apiVersion: "v1", kind: "Service", metadata, spec: { clusterIP: "None" } }),
  );
  const result = parseManifestFile(text.join("\n---\n"));
  if (!result.ok) throw new Error(result.error.reason);
  const events = planEvents(log.objects, result.value.manifests, log.version, objectUid);
  log.append(events);
  return events;
}

const LIST = { kind: "list", resource: SERVICES, selects: () => true, limit: undefined, token: undefined } as const;

function listed(log: ObjectLog, more: object) {
  const answer = answerList(log, { ...LIST, ...more });
  if (!answer.ok) throw new Error(answer.error.message);
  const { metadata, items } = JSON.parse(answer.value) as {
    metadata: { continue?: string; remainingItemCount?: number };
    items: { metadata: { name: string } }[];
  };
  return { token: metadata.continue, remaining: metadata.remainingItemCount, names: items.map((i) => i.metadata.name) };
}

describe("lists", () => {
  test("come in pages that together are the whole", () => {
    const log = logOf("c", "a", "e", "b", "d");
    const first = listed(log, { limit: 2 });
    const second = listed(log, { limit: 2, token: first.token });
    const third = listed(log, { limit: 2, token: second.token });
    expect([first.names, second.names, third.names]).toEqual([["a", "b"], ["c", "d"], ["e"]]);
    expect([first.remaining, third.token]).toEqual([3, undefined]);
  });

  test("a page of a moment that has passed is 410", () => {
    const log = logOf("a", "b", "c");
    const { token } = listed(log, { limit: 1 });
    feed(log, [{ name: "a", labels: {} }]);
    expect(answerList(log, { ...LIST, token })).toMatchObject({ ok: false, error: { code: 410 } });
    expect(answerList(log, { ...LIST, token: "garbage" })).toMatchObject({ ok: false, error: { code: 400 } });
  });
});

describe("watches with a selector", () => {
  test("see an object appear and go as it begins and ceases to meet it", () => {
    const log = new ObjectLog(100);
    const selector = parseLabelSelector("app=web");
    if (!selector.ok) throw new Error(selector.error);
    const seen = [{ app: "db" }, { app: "web" }, { app: "web", x: "y" }, { app: "db" }].map((labels) =>
      feed(log, [{ name: "a", labels }]).map((event) => typeOf(watchLine(event, SERVICES, selector.value))),
    );
    expect(seen).toEqual([[undefined], ["ADDED"], ["MODIFIED"], ["DELETED"]]);
  });
});

function typeOf(line: string | undefined): unknown {
  return line === undefined ? undefined : (JSON.parse(line) as { type: string }).type;
}

describe("discovery", () => {
  test("names groups and resources", () => {
    expect(answerDiscovery("/version", "1")).toMatchObject({ gitVersion: "v1.0.0+selvedge-1" });
    expect(answerDiscovery("/api/v1", "1")).toMatchObject({ kind: "APIResourceList", groupVersion: "v1" });
    expect(answerDiscovery("/apis/discovery.k8s.io/v1", "1")).toMatchObject({
      resources: [{ name: "endpointslices", namespaced: true, kind: "EndpointSlice" }],
    });
    expect(answerDiscovery("/apis/apps/v1", "1")).toBeUndefined();
  });
});
