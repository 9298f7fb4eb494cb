import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { milliseconds, minutes, seconds } from "../../../src/base/duration.ts";
import type { LeaseTiming } from "../../../src/kube/election.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { DrivenClock } from "../../support/driven-clock.ts";
import { effort } from "../../support/effort.ts";
import { inCluster, kubectl, readText } from "../../support/in-cluster.ts";
import {
  addCommunity,
  addNode,
  hasClusterStatus,
  installCrds,
  NAMESPACE,
  RunningOperator,
  SETTINGS,
} from "../../support/operator-world.ts";

const NODES = ["e1", "e2", "e3"];
/** What a change of the first one, whose peer the second is, is written to. */
const DOCUMENTS = ["connector-config", "fabedge-agent-config-e1", "fabedge-agent-config-e2"];

const CHANGED = `/api/v1/namespaces/${NAMESPACE}/configmaps/fabedge-agent-config-e2`;

const HOUR = minutes(60);
/** A list–watch asks once a minute by then, jittered, and one of them every few seconds; there are eleven. */
const REQUESTS_MAX = 11 * 60 * 4;

const FLAP = minutes(effort(6, 10));
const CONVERGED_WITHIN = seconds(10);
/** An API server answers within a few milliseconds, which are so many times longer for the operator meanwhile. */
const HASTE = effort(40, 1);
/** While it is timed how soon the operator is back. */
const RECOVERY = milliseconds(effort(2, 1));
const PATIENCE = { timeout: seconds(120) };
/** As the chart has it. */
const TIMING: LeaseTiming = { leaseDuration: seconds(15), renewDeadline: seconds(10), retryPeriod: seconds(2) };

inCluster(import.meta.path, () => {
  /** The operator's. */
  const clock = new DrivenClock(Date.now());
  let running: RunningOperator | undefined;

  beforeAll(async () => {
    await installCrds();
    for (const [i, name] of NODES.entries()) await addNode(name, i + 1);
    await addCommunity("two", ["paris.e1", "paris.e2"]);
    void clock.drive();
  });
  afterEach(async () => {
    await running?.close();
  });
  afterAll(() => clock.stop());

  async function start(identity: string, timing?: LeaseTiming): Promise<RunningOperator> {
    running = await RunningOperator.start(identity, SETTINGS, undefined, clock, timing);
    await waitFor("the cluster's status", hasClusterStatus, PATIENCE);
    await running.settled();
    return running;
  }

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

  /** Those that the server has written since. */
  function changedSince(before: Readonly<Record<string, string>>): readonly string[] {
    const after = versions();
    return Object.keys(after)
      .filter((name) => after[name] !== before[name])
      .sort();
  }

  const changed = DOCUMENTS.map((name) => `ConfigMap/${name}`);
  const give = (address: string) =>
    kubectl("annotate", "node", "e1", `fabedge.io/node-public-addresses=${address}`, "--overwrite");
  const has = async (address: string) => (await readText(CHANGED)).includes(address);

  test(
    "after an hour without the API server, what changed meanwhile is written once, and nothing else",
    async () => {
      const operator = await start("hour");
      const before = versions();
      operator.proxy.become({ kind: "cut" });
      await waitFor("it leads no longer", () => !operator.operator.status.leading);
      const [seen, written] = [operator.proxy.seen.length, operator.writes.length];
      give("203.0.113.7");
      const end = clock.now() + HOUR;
      clock.step = seconds(1);
      await waitFor("an hour pass", () => clock.now() >= end, PATIENCE);
      clock.step = RECOVERY;
      const asked = operator.proxy.seen.slice(seen);
      expect(asked.filter(({ path }) => !/\/leases\b/.test(path)).length).toBeLessThan(REQUESTS_MAX);
      expect(operator.writes).toHaveLength(written);
      expect(versions()).toEqual(before);

      operator.proxy.become({ kind: "pass" });
      const back = clock.now();
      await waitFor("the change", () => has("203.0.113.7"), PATIENCE);
      // A list–watch by itself would wait for up to a minute.
      expect(clock.now() - back).toBeLessThan(seconds(15));
      await operator.settled();
      expect(changedSince(before)).toEqual(changed);
      const writes = operator.writes.slice(written);
      expect(writes.toSorted()).toEqual(DOCUMENTS.map((name) => `PATCH v1/namespaces/fabedge/configmaps/${name}`));
    },
    minutes(5),
  );

  test(
    "an API server that is up for a second and away for a second is asked less than once a second, written nothing twice, and followed within ten seconds once it stays",
    async () => {
      const operator = await start("flap", TIMING);
      const { proxy } = operator;
      const before = versions();
      const begun = clock.now();
      const seen = proxy.seen.length;
      /** When each request came, in the operator's time. */
      const requests: number[] = [];
      proxy.choose(() => {
        requests.push(clock.now() - begun);
        return { kind: Math.floor((clock.now() - begun) / 1000) % 2 === 1 ? "pass" : "cut" };
      });
      let flapping = true;
      const fall = () => {
        if (!flapping) return;
        proxy.cutOff();
        clock.after(seconds(2), fall);
      };
      fall();
      clock.step = milliseconds(HASTE);
      const passed = (time: number) =>
        waitFor("time pass", () => clock.now() - begun > time, { timeout: minutes(effort(2, 16)) });
      await passed(FLAP / 2);
      give("203.0.113.8");
      await passed(FLAP);
      flapping = false;
      clock.step = RECOVERY;
      proxy.become({ kind: "pass" });
      const steady = clock.now();
      const perMinute = Array.from(
        { length: FLAP / minutes(1) },
        (_, minute) => requests.filter((at) => Math.floor(at / minutes(1)) === minute).length,
      );
      console.log(`requests a minute, the Lease's included: ${perMinute.join(" ")}`);
      // Its pauses are random, and single minutes scatter by a fifth.
      const later = perMinute.slice(1);
      expect(later.reduce((sum, count) => sum + count) / later.length).toBeLessThan(60);

      /** What was waited for when the time was over. */
      const late = new Set<string>();
      const isFollowed = () => {
        const { leading, kinds } = operator.operator.status;
        const missing = kinds.filter(({ connected }) => !connected);
        if (clock.now() - steady > CONVERGED_WITHIN)
          for (const { kind, error } of missing) late.add(`${kind}: ${error?.message}`);
        return leading && missing.length === 0;
      };
      await waitFor("everything followed again", isFollowed, PATIENCE);
      await waitFor("the change", () => has("203.0.113.8"), PATIENCE);
      console.log(`followed ${((clock.now() - steady) / 1000).toFixed(1)} s after it stayed`);
      expect([...late]).toEqual([]);
      expect(clock.now() - steady).toBeLessThan(CONVERGED_WITHIN);
      await operator.settled();
      expect(changedSince(before)).toEqual(changed);
      // What the server has answered that it has written, in that order.
      const writes = proxy.seen
        .slice(seen)
        .filter(({ method, path }) => method !== "GET" && !/\/(?:leases|events)\b/.test(path))
        .filter(({ status: answer = 0 }) => answer >= 200 && answer < 300)
        .map(({ path }) => path.replace(/\?.*/, "").replace(/.*\//, ""));
      expect(writes.filter((name, i) => writes.indexOf(name) < i || !DOCUMENTS.includes(name))).toEqual([]);
    },
    minutes(18),
  );
});
