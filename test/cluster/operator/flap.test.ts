import { afterAll, beforeAll, expect, test } from "bun:test";
import { milliseconds, minutes, seconds } from "../../../src/base/duration.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { DrivenClock } from "../../support/driven-clock.ts";
import { effort } from "../../support/effort.ts";
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
/** Of the operator's clock. */
const FLAP = minutes(effort(3, 10));
const FIRST = minutes(1);
const CONVERGED_WITHIN = seconds(10);
const ADDRESS = "203.0.113.7";
/** An API server answers within a few milliseconds, which are so many times longer for the operator meanwhile. */
const HASTE = effort(40, 1);
/** As the chart has it. */
const TIMING = { leaseDuration: seconds(15), renewDeadline: seconds(10), retryPeriod: seconds(2) };

inCluster(import.meta.path, () => {
  const clock = new DrivenClock(Date.now());
  let operator: RunningOperator;

  beforeAll(async () => {
    installCrds();
    for (const [i, name] of NODES.entries()) addNode(name, i + 1);
    addCommunity("two", ["paris.e1", "paris.e2"]);
    void clock.drive();
    operator = await RunningOperator.start("flap", SETTINGS, undefined, clock, TIMING);
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

  /** What the server has answered that it has written, in that order. */
  function answered(): readonly string[] {
    return operator.proxy.writes
      .filter(({ path, status }) => !/\/(?:leases|events)\b/.test(path) && status !== undefined && status < 300)
      .map(({ path }) => path.replace(/\?.*/, "").replace(/.*\//, ""));
  }

  test(
    "an API server that is up for a second and away for a second is asked less than once a second, written nothing twice, and followed within ten seconds once it stays",
    async () => {
      const before = versions();
      const begun = clock.now();
      const written = answered().length;
      /** When each request came, in the operator's time. */
      const requests: number[] = [];
      const isUp = () => Math.floor((clock.now() - begun) / 1000) % 2 === 1;
      operator.proxy.choose(() => {
        requests.push(clock.now() - begun);
        return { kind: isUp() ? "pass" : "cut" };
      });
      let flapping = true;
      const fall = () => {
        if (!flapping) return;
        operator.proxy.cutOff();
        clock.after(seconds(2), fall);
      };
      fall();
      clock.step = milliseconds(HASTE);
      await waitFor("half of it", () => clock.now() - begun > FLAP / 2, { timeout: minutes(effort(2, 16)) });
      kubectl("annotate", "node", "e1", `fabedge.io/node-public-addresses=${ADDRESS}`);
      await waitFor("the end of it", () => clock.now() - begun > FLAP, { timeout: minutes(effort(2, 16)) });
      flapping = false;
      clock.step = milliseconds(1);
      operator.proxy.become({ kind: "pass" });
      const steady = clock.now();
      const perMinute = Array.from(
        { length: FLAP / FIRST },
        (_, minute) => requests.filter((at) => at >= minute * FIRST && at < (minute + 1) * FIRST).length,
      );
      console.log(`requests a minute, Leases included: ${perMinute.join(" ")}`);
      for (const count of perMinute.slice(1)) expect(count).toBeLessThan(60);

      const follows = () =>
        operator.operator.status.kinds.every(({ connected }) => connected) && operator.operator.status.leading;
      await waitFor("everything followed again", follows, { timeout: seconds(60) });
      await waitFor(
        "the change",
        () => see("configmap", "fabedge-agent-config-e2")?.data?.["tunnels.yaml"]?.includes(ADDRESS),
        { timeout: seconds(60) },
      );
      console.log(`followed ${((clock.now() - steady) / 1000).toFixed(1)} s after it stayed`);
      expect(clock.now() - steady).toBeLessThan(CONVERGED_WITHIN);
      await operator.settled();
      const names = ["connector-config", "fabedge-agent-config-e1", "fabedge-agent-config-e2"];
      const after = versions();
      const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
      expect(changed.sort()).toEqual(names.map((name) => `ConfigMap/${name}`));
      const writes = answered().slice(written);
      expect(writes.filter((name, i) => writes.indexOf(name) < i || !names.includes(name))).toEqual([]);
    },
    minutes(18),
  );
});
