import { expect, test } from "bun:test";
import { milliseconds } from "../../../../src/base/duration.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { KubeClient } from "../../../../src/kube/client.ts";
import { Informer } from "../../../../src/kube/informer.ts";
import { CONFIG_MAPS, NODES, type Resource } from "../../../../src/kube/resource.ts";
import { describeUnreadable } from "../../../../src/kube/unreadable.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

test.each([
  [CONFIG_MAPS, { namespace: "n", name: "a" }, "v1"],
  [NODES, { name: "e1" }, "v1"],
] as const)(
  "an object that cannot be read is told of by its own name: %j",
  async (resource: Resource, name, apiVersion) => {
    const [clock, scope] = [new SteppedClock(), new Scope()];
    const items = [{ metadata: { ...name, uid: "u", resourceVersion: "1" } }];
    const endpoint = { url: "http://h", credentials: async () => ({ token: undefined, tls: undefined }) };
    const list = async () => Response.json({ metadata: { resourceVersion: "1" }, items });
    const informer = new Informer<unknown>({
      client: new KubeClient(endpoint, "test", list, clock),
      decoder: { resource, decode: () => ({ ok: false, error: { at: "spec.x", why: "missing" } }) },
      onChange: () => {},
      onStatus: () => {},
      clock,
      random: () => 0.5,
    });
    informer.start(scope);
    while (!informer.status.synced) await clock.advance(milliseconds(500));
    expect([...describeUnreadable(informer, "Plan")]).toMatchObject([
      {
        regarding: { apiVersion, kind: resource.kind, ...name },
        reason: "Unreadable",
        action: "Plan",
        note: expect.stringContaining("spec.x is wrong: missing. It does not count until it can be"),
      },
    ]);
    await scope.close();
  },
);
