import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { milliseconds, seconds } from "../../../src/base/duration.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { deleteObject, type KubernetesJson, patchObject } from "../../support/cluster-objects.ts";
import { DrivenClock } from "../../support/driven-clock.ts";
import type { Fault } from "../../support/fault-proxy.ts";
import { inCluster, kubectl, readText } from "../../support/in-cluster.ts";
import {
  addCommunity,
  addNode,
  hasClusterStatus,
  installCrds,
  NAMESPACE,
  RunningOperator,
  see,
} from "../../support/operator-world.ts";

const NODES = ["e1", "e2", "e3", "e4"];

inCluster(import.meta.path, () => {
  beforeAll(async () => {
    await installCrds();
    await addNode("cloud1", 100, false);
    for (const [i, name] of NODES.entries()) await addNode(name, i + 1);
    await addCommunity(
      "all",
      NODES.map((name) => `paris.${name}`),
    );
  });

  /** For ten seconds of doubt. */
  const hasty = new DrivenClock(Date.now());
  hasty.step = milliseconds(10);
  afterAll(() => hasty.stop());

  let running: RunningOperator[] = [];
  afterEach(async () => {
    await Promise.all(running.map((one) => one.close()));
    running = [];
  });
  async function start(identity: string): Promise<RunningOperator> {
    const one = await RunningOperator.start(identity);
    running.push(one);
    return one;
  }

  /** Everything of ours, and how often each was written: the API server's own word. */
  interface Written {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  }
  async function everything(): Promise<readonly Written[]> {
    const kinds = { ConfigMap: "configmaps", Secret: "secrets" };
    const lists = Object.entries(kinds).map(async ([kind, plural]) => {
      const text = await readText(`/api/v1/namespaces/${NAMESPACE}/${plural}`);
      const { items } = JSON.parse(text) as { items: { metadata: Written }[] };
      return items
        .filter(({ metadata: { name } }) => name !== "kube-root-ca.crt")
        .map(({ metadata: { name, uid, resourceVersion } }) => ({ name: `${kind}/${name}`, uid, resourceVersion }));
    });
    return (await Promise.all(lists)).flat().sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  const names = async () => (await everything()).map(({ name }) => name);
  const wanted = () =>
    [
      ...["connector-config", ...NODES.map((node) => `fabedge-agent-config-${node}`)].map(
        (name) => `ConfigMap/${name}`,
      ),
      ...["connector-tls", "fabedge-ca", ...NODES.map((node) => `fabedge-agent-tls-${node}`)].map(
        (name) => `Secret/${name}`,
      ),
    ].sort();
  async function addressesOf(node: string): Promise<readonly string[]> {
    const text = await readText(`/api/v1/namespaces/${NAMESPACE}/configmaps/fabedge-agent-config-${node}`);
    const { data } = JSON.parse(text) as KubernetesJson;
    return (Bun.YAML.parse(data?.["tunnels.yaml"] ?? "") as { publicAddresses: readonly string[] }).publicAddresses;
  }
  let address = 1;
  /** @returns an address that a node has from now on */
  async function change(node: string): Promise<string> {
    const text = `203.0.113.${address++}`;
    await patchObject("node", node, { metadata: { annotations: { "fabedge.io/node-public-addresses": text } } });
    return text;
  }
  const sees = (node: string, text: string) =>
    waitFor(`${text} at ${node}`, async () => (await addressesOf(node)).includes(text), { timeout: seconds(20) });

  test("an operator that is killed at every one of its writes, before or after it, makes everything once", async () => {
    const made = new Map<string, string>();
    for (let attempt = 0; ; attempt++) {
      if (attempt > 60) throw new Error(`Cannot see the end of it: there is ${(await names()).join(", ")}`);
      const operator = await start(`killed-${attempt}`);
      const isOurs = (method: string, path: string) => method !== "GET" && !/\/(?:leases|events)\b/.test(path);
      let dead = false;
      let writes = 0;
      operator.proxy.choose(({ method, path }) => {
        if (dead) return { kind: "cut" };
        if (!isOurs(method, path)) return { kind: "pass" };
        writes += 1;
        dead = true;
        return { kind: attempt % 2 === 0 ? "lose" : "cut" };
      });
      // Nobody waits for the dead one's lease.
      await deleteObject("lease", "fabedge-operator-leader", NAMESPACE);
      const { operator: one } = operator;
      await waitFor("it leads, or is dead", () => dead || (one.status.leading && one.status.planned));
      const ended = await waitFor("a write, or that nothing is left", async () => {
        if (writes > 0) return "write";
        const idle = /\nselvedge_workqueue_depth 0\n/.test(operator.metrics.render());
        return idle && (await names()).length === wanted().length && (await hasClusterStatus()) && "end";
      });
      if (ended === "end") await operator.settled();
      await operator.kill();
      for (const { name, uid } of await everything()) {
        expect(`${name} ${made.get(name) ?? uid}`).toBe(`${name} ${uid}`);
        made.set(name, uid);
      }
      if (ended === "end") break;
    }
    expect(await names()).toEqual(wanted());
    const before = await everything();
    await deleteObject("lease", "fabedge-operator-leader", NAMESPACE);
    const last = await start("last");
    await last.settled();
    expect(last.writes).toEqual([]);
    expect(await everything()).toEqual(before);
  }, 120_000);

  test("of two operators one writes; when it is cut off the other goes on, and nothing is taken away or written twice", async () => {
    const first = await start("first");
    await first.settled();
    const second = await start("second");
    await waitFor("the second one has read everything", () => second.operator.status.planned);
    await sees("e1", await change("e1"));
    expect(second.writes).toEqual([]);
    const uids = (await everything()).map(({ uid }) => uid);
    const written = first.proxy.writes.length;
    first.proxy.become({ kind: "hang" });
    const text = await change("e2");
    await sees("e2", text);
    first.proxy.become({ kind: "pass" });
    await waitFor("the first one follows", () => first.operator.status.holder === "second");
    await second.settled();
    expect((await everything()).map(({ uid }) => uid)).toEqual(uids);
    expect(first.proxy.writes.slice(written).filter(({ status }) => status !== undefined && status < 300)).toEqual([]);
    const before = await everything();
    const third = await change("e3");
    await sees("e3", third);
    await second.settled();
    expect(
      (await everything()).filter((one, i) => one.resourceVersion !== before[i]?.resourceVersion).length,
    ).toBeLessThanOrEqual(6);
  }, 60_000);

  /** Two operators, of which the first one's writes to these paths are on their way until it is released. */
  async function replaceLeader(identity: string, isHeld: (path: string) => boolean, count: number) {
    const first = await start(`${identity}-first`);
    await first.settled();
    const second = await start(`${identity}-second`);
    await waitFor("the second one has read everything", () => second.operator.status.planned);
    const release = Promise.withResolvers<void>();
    const held = () => first.proxy.writes.filter(({ path }) => isHeld(path));
    first.proxy.choose(({ method, path }) => {
      if (method !== "GET" && isHeld(path)) return { kind: "hold", until: release.promise };
      return { kind: path.includes("/leases/") && held().length === count ? "hang" : "pass" };
    });
    return {
      successor: second,
      sent: () => waitFor("the first one has sent them", () => held().length === count),
      replaced: () => waitFor("the second one leads", () => second.operator.status.leading, { timeout: seconds(20) }),
      /** @returns what the server answered the first one */
      release: async () => {
        release.resolve();
        const answered = () => held().every(({ status }) => status !== undefined);
        await waitFor("the server has answered the first one", answered);
        return held().map(({ method, status }) => `${method} ${status}`);
      },
    };
  }

  test("what a leader makes that has been replaced is refused where its successor has made it meanwhile", async () => {
    const isHeld = (path: string) => /\/fabedge-agent-(?:tls|config)-late\b/.test(path);
    const { successor, sent, replaced, release } = await replaceLeader("makes", isHeld, 2);
    await addNode("late", 9);
    await sent();
    await replaced();
    const made = async () => (await everything()).filter(({ name }) => name.endsWith("-late"));
    await waitFor("the second one has made both", async () => (await made()).length === 2);
    await successor.settled();
    const before = await everything();
    expect(await release()).toEqual(["PATCH 409", "PATCH 409"]);
    expect(await everything()).toEqual(before);
  }, 60_000);

  test("what a leader deletes that has been replaced stays where its successor has written it meanwhile", async () => {
    const isHeld = (path: string) => /\/fabedge-agent-(?:tls|config)-late\b/.test(path);
    const { successor, sent, replaced, release } = await replaceLeader("deletes", isHeld, 2);
    kubectl("label", "node", "late", "node-role.kubernetes.io/edge-");
    await sent();
    // Back again, with another address, which stands in both.
    const status = { addresses: [{ type: "InternalIP", address: "192.168.9.10" }] };
    kubectl("patch", "node", "late", "--subresource=status", "--type=merge", `--patch=${JSON.stringify({ status })}`);
    kubectl("label", "node", "late", "node-role.kubernetes.io/edge=");
    await replaced();
    await waitFor("the second one has written both", async () => (await addressesOf("late")).includes("192.168.9.10"));
    await successor.settled();
    const before = await everything();
    expect(await release()).toEqual(["DELETE 409", "DELETE 409"]);
    expect(await everything()).toEqual(before);
    kubectl("delete", "node", "late");
    await waitFor(
      "what belonged to the node is gone",
      async () => !(await names()).some((name) => name.endsWith("-late")),
    );
  }, 60_000);

  describe("a server that", () => {
    const faults: readonly (readonly [string, (count: number) => Fault])[] = [
      ["comes and goes", (count) => (Math.floor(count / 5) % 2 === 0 ? { kind: "cut" } : { kind: "pass" })],
      ["is slow", () => ({ kind: "delay", ms: 400 })],
      [
        "answers every third write with a conflict",
        (n) => (n % 3 === 0 ? { kind: "answer", status: 409 } : { kind: "pass" }),
      ],
      ["is overloaded", (n) => (n % 2 === 0 ? { kind: "answer", status: 429, retryAfter: 1 } : { kind: "pass" })],
      ["fails", (n) => (n % 2 === 0 ? { kind: "answer", status: 500 } : { kind: "pass" })],
      ["does what it is asked and does not say so", (n) => (n % 2 === 0 ? { kind: "lose" } : { kind: "pass" })],
    ];
    for (const [what, fault] of faults) {
      test(`${what} gets every change in the end, and loses nothing`, async () => {
        const operator = await start(what.replaceAll(" ", "-"));
        await operator.settled();
        const uids = (await everything()).map(({ uid }) => uid);
        let count = 0;
        operator.proxy.choose(({ method, path }) =>
          method === "GET" || path.includes("/leases") ? { kind: "pass" } : fault(count++),
        );
        const texts = await Promise.all(NODES.map(async (node) => [node, await change(node)] as const));
        for (const [node, text] of texts) await sees(node, text);
        operator.proxy.become({ kind: "pass" });
        await operator.settled();
        expect((await everything()).map(({ uid }) => uid)).toEqual(uids);
      }, 60_000);
    }
  });

  test("what the server refuses is told of at its node for as long as it does, and everybody else goes on", async () => {
    const operator = await start("refused");
    await operator.settled();
    const isRefused = (path: string) => path.includes("/fabedge-agent-config-e2");
    operator.proxy.choose(({ method, path }) =>
      method !== "GET" && isRefused(path) ? { kind: "answer", status: 403 } : { kind: "pass" },
    );
    await change("e2");
    const condition = async () =>
      (await see("node", "e2"))?.status?.conditions?.find((each) => each["type"] === "SelvedgeReady")?.["reason"];
    await waitFor("the condition", async () => (await condition()) === "KubeForbidden");
    await sees("e1", await change("e1"));
    operator.proxy.become({ kind: "pass" });
    await sees("e2", await change("e2"));
    await waitFor("that it is right again", async () => (await condition()) === "AsWanted");
  });

  test("a server that is away altogether is asked less and less, costs nobody anything, and is heard once it is back", async () => {
    const operator = await start("away");
    await operator.settled();
    const before = await everything();
    operator.proxy.become({ kind: "cut" });
    const since = operator.proxy.seen.length;
    const texts = await Promise.all(NODES.map(async (node) => [node, await change(node)] as const));
    await waitFor("it leads no longer", () => !operator.operator.status.leading);
    await waitFor("a few attempts", () => operator.proxy.seen.length > since + 30, { timeout: seconds(20) });
    expect(await everything()).toEqual(before);
    operator.proxy.become({ kind: "pass" });
    for (const [node, text] of texts) await sees(node, text);
  }, 60_000);

  test("a list of nodes that is suddenly empty withdraws nothing", async () => {
    const operator = await start("emptied");
    await operator.settled();
    const before = await everything();
    // The watch ends, where it stood is forgotten, and the list that follows has nobody.
    operator.proxy.become({ kind: "cut" });
    operator.proxy.choose(({ path }) => {
      if (!path.startsWith("/api/v1/nodes")) return { kind: "pass" };
      return path.includes("watch=true") ? { kind: "answer", status: 410 } : { kind: "empty" };
    });
    const holds = () => operator.operator.status.kinds.some(({ heldDeletions }) => heldDeletions > 0);
    await waitFor("it holds them", holds, { timeout: seconds(20) });
    await operator.settled();
    expect(operator.writes).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  test("an authority that is there and was not seen is not replaced, and neither is any certificate", async () => {
    const before = await everything();
    const operator = await RunningOperator.start("blind", undefined, ({ method, path }) =>
      method === "GET" && path.includes("fabedge-ca") ? { kind: "empty" } : { kind: "pass" },
    );
    running.push(operator);
    await operator.leads();
    await waitFor("it has tried", () => operator.writes.includes("POST v1/namespaces/fabedge/secrets"));
    await operator.settled();
    expect(await everything()).toEqual(before);
  });

  test("a first list of nodes that is empty withdraws nothing either", async () => {
    const before = await everything();
    let lists = 0;
    const choose = ({ path }: { readonly path: string }): Fault => {
      if (!path.startsWith("/api/v1/nodes?")) return { kind: "pass" };
      if (!path.includes("watch=true")) lists += 1;
      return { kind: lists === 1 ? "empty" : "pass" };
    };
    void hasty.drive();
    const operator = await RunningOperator.start("misled", undefined, choose, hasty);
    running.push(operator);
    await waitFor("it doubts", () => operator.log.some(({ event }) => event === "operator.doubt"));
    await waitFor("it leads", () => operator.operator.status.leading);
    expect(operator.operator.status.planned).toBeFalse();
    await waitFor("it has planned", () => operator.operator.status.planned, { timeout: seconds(20) });
    await operator.settled();
    expect(operator.writes).toEqual([]);
    expect(await everything()).toEqual(before);
  });
});
