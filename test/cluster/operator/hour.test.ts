import { afterAll, beforeAll, expect, test } from "bun:test";
import { milliseconds, minutes, seconds } from "../../../src/base/duration.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { DrivenClock } from "../../support/driven-clock.ts";
import { inCluster, kubectl } from "../../support/in-cluster.ts";
import {
  addCommunity,
  addNode,
  installCrds,
  NAMESPACE,
  RunningOperator,
  SETTINGS,
  see,
} from "../../support/operator-world.ts";

const NODES = ["e1", "e2", "e3"];
const HOUR = minutes(60);
const ADDRESS = "203.0.113.7";
/** A list–watch asks once a minute by then, jittered; there are eight. */
const REQUESTS_MAX = 8 * 60 * 4;

inCluster(import.meta.path, () => {
  const clock = new DrivenClock(Date.now());
  let operator: RunningOperator;

  beforeAll(async () => {
    installCrds();
    for (const [i, name] of NODES.entries()) addNode(name, i + 1);
    addCommunity("two", ["paris.e1", "paris.e2"]);
    void clock.drive();
    operator = await RunningOperator.start("hour", SETTINGS, undefined, clock);
    await operator.settled();
  });
  afterAll(async () => {
    await operator?.close();
    clock.stop();
  });

  /** The API server's word of what each was written last. */
  function versions(): Readonly<Record<string, string>> {
    const text = kubectl("get", "configmaps,secrets", `--namespace=${NAMESPACE}`, "--output=json");
    const { items } = JSON.parse(text) as {
      readonly items: readonly {
        readonly kind: string;
        readonly metadata: { readonly name: string; readonly resourceVersion: string };
      }[];
    };
    return Object.fromEntries(
      items.map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.resourceVersion]),
    );
  }

  test("after an hour without the API server, what changed meanwhile is written once, and nothing else", async () => {
    const before = versions();
    operator.proxy.become({ kind: "cut" });
    await waitFor("it leads no longer", () => !operator.operator.status.leading);
    const [seen, written] = [operator.proxy.seen.length, operator.writes.length];
    kubectl("annotate", "node", "e1", `fabedge.io/node-public-addresses=${ADDRESS}`);
    const end = clock.now() + HOUR;
    clock.step = seconds(1);
    await waitFor("an hour pass", () => clock.now() >= end, { timeout: seconds(60) });
    clock.step = milliseconds(2);
    const asked = operator.proxy.seen.slice(seen);
    expect(asked.filter(({ path }) => !/\/leases\b/.test(path)).length).toBeLessThan(REQUESTS_MAX);
    expect(operator.writes).toHaveLength(written);
    expect(versions()).toEqual(before);

    operator.proxy.become({ kind: "pass" });
    const back = clock.now();
    await waitFor(
      "the change",
      () => see("configmap", "fabedge-agent-config-e2")?.data?.["tunnels.yaml"]?.includes(ADDRESS),
      { timeout: seconds(30) },
    );
    // A list–watch by itself would wait for up to a minute.
    expect(clock.now() - back).toBeLessThan(seconds(15));
    await operator.settled();
    const names = ["connector-config", "fabedge-agent-config-e1", "fabedge-agent-config-e2"];
    const after = versions();
    const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
    expect(changed.sort()).toEqual(names.map((name) => `ConfigMap/${name}`));
    const writes = operator.writes.slice(written).filter((line) => / v1\/namespaces\/fabedge\/configmaps/.test(line));
    expect(writes.toSorted()).toEqual(names.map((name) => `PATCH v1/namespaces/fabedge/configmaps/${name}`));
    expect(operator.writes).toHaveLength(written + writes.length);
  }, 120_000);
});
