import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { seconds } from "../../../src/base/duration.ts";
import type { KubernetesObject } from "../../lab/service-objects.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { applyObject } from "../../support/cluster-objects.ts";
import { inCluster, kubectl, readText } from "../../support/in-cluster.ts";
import { addNode, installCrds, RunningOperator, see } from "../../support/operator-world.ts";

const CRD = join(import.meta.dir, "../../../cloud/crds/globalservices.yaml");
const SHOP = "shop";
const LABEL = "fabedge.io/global-service";
const EXPORTED = { [LABEL]: "true" };
const PARIS = { cluster: "paris", zone: "default", region: "default" };
const LYON = { addresses: ["10.97.0.9"], cluster: "lyon", zone: "sud", region: "fr" };

async function addService(name: string, spec: object, labels: object = EXPORTED): Promise<void> {
  const ports = [{ name: "http", port: 80, protocol: "TCP" }];
  await applyObject({
    ...{ apiVersion: "v1", kind: "Service", metadata: { name, namespace: SHOP, labels } },
    spec: { ports, ...spec },
  });
}

async function addSlice(
  service: string,
  pods: readonly { readonly name: string; readonly address: string }[],
): Promise<void> {
  await applyObject({
    ...{ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType: "IPv4" },
    metadata: {
      name: `${service}-1`,
      namespace: SHOP,
      labels: { ...EXPORTED, "kubernetes.io/service-name": service },
    },
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: pods.map(({ name, address }) => ({
      ...{ addresses: [address], hostname: name, conditions: { ready: true } },
      targetRef: { kind: "Pod", name, namespace: SHOP },
    })),
  });
}

interface Spec {
  readonly type: string;
  readonly ports: readonly { readonly port: number }[];
  readonly endpoints: readonly { readonly addresses: readonly string[]; readonly cluster: string }[];
}

const globalService = (name: string) => see("globalservice", name, SHOP);
const specOf = async (name: string) => (await globalService(name))?.spec as Spec | undefined;
const addressesOf = async (name: string) => (await specOf(name))?.endpoints.flatMap(({ addresses }) => addresses) ?? [];

async function eventOf(wanted: string) {
  const text = await readText(`/apis/events.k8s.io/v1/namespaces/${SHOP}/events`);
  const { items } = JSON.parse(text) as { items: { reason: string; note: string; regarding: object }[] };
  return items.find(({ reason }) => reason === wanted);
}

/** The API server takes a moment to go by a definition that has changed. */
async function tryToApply(object: KubernetesObject): Promise<boolean> {
  try {
    await applyObject(object);
    return true;
  } catch {
    return false;
  }
}

inCluster(import.meta.path, () => {
  beforeAll(async () => {
    await installCrds();
    await addNode("cloud1", 100, false);
    kubectl("create", "namespace", SHOP);
  });

  let running: RunningOperator[] = [];
  afterEach(async () => {
    await Promise.all(running.map((one) => one.close()));
    running = [];
  });
  async function start(identity: string, choose?: Parameters<typeof RunningOperator.start>[2]) {
    const one = await RunningOperator.start(identity, undefined, choose);
    running.push(one);
    return one;
  }
  const globalWrites = (operator: RunningOperator) =>
    operator.writes.filter((write) => write.includes("/globalservices"));

  describe("a labelled Service", () => {
    test("becomes a GlobalService, which follows it and goes with its label", async () => {
      await start("a");
      await addService("web", { clusterIP: "10.96.0.80" });
      await waitFor("it", () => globalService("web"));
      expect(await specOf("web")).toEqual({
        type: "ClusterIP",
        ports: [{ name: "http", port: 80, protocol: "TCP" }],
        endpoints: [{ addresses: ["10.96.0.80"], ...PARIS }],
      } as unknown as Spec);
      await addService("web", { clusterIP: "10.96.0.80", ports: [{ name: "http", port: 8080, protocol: "TCP" }] });
      await waitFor("the other port", async () => (await specOf("web"))?.ports[0]?.port === 8080);
      kubectl("label", "service", "web", `--namespace=${SHOP}`, `${LABEL}-`);
      await waitFor("its end", async () => (await globalService("web")) === undefined);
    });

    test("has its ready pods exported where it is headless, as they come and go", async () => {
      await start("b");
      await addService("db", { clusterIP: "None" });
      await addSlice("db", [{ name: "db-0", address: "10.1.1.5" }]);
      await waitFor("its pod", async () => (await addressesOf("db")).includes("10.1.1.5"));
      expect(await specOf("db")).toMatchObject({
        type: "Headless",
        endpoints: [{ hostname: "db-0", targetRef: { kind: "Pod", name: "db-0", namespace: SHOP }, ...PARIS }],
      });
      const both = [
        { name: "db-1", address: "10.1.1.6" },
        { name: "db-0", address: "10.1.1.5" },
      ];
      await addSlice("db", both);
      await waitFor("both", async () => Bun.deepEquals(await addressesOf("db"), ["10.1.1.5", "10.1.1.6"]));
      await addSlice("db", []);
      await waitFor("none", async () => (await globalService("db")) && (await addressesOf("db")).length === 0);
      kubectl("delete", "service", "db", `--namespace=${SHOP}`);
      await waitFor("its end", async () => (await globalService("db")) === undefined);
    });

    test("shares its GlobalService with other clusters, whose word stays", async () => {
      const theirs = { type: "ClusterIP", ports: [{ port: 80, protocol: "TCP" }], endpoints: [LYON] };
      await applyObject({
        ...{ apiVersion: "dns.fabedge.io/v1alpha1", kind: "GlobalService" },
        metadata: { name: "shared", namespace: SHOP },
        spec: theirs,
      });
      await addService("shared", { clusterIP: "10.96.0.81" });
      await start("c");
      await waitFor("both", async () => Bun.deepEquals(await addressesOf("shared"), ["10.97.0.9", "10.96.0.81"]));
      expect((await specOf("shared"))?.endpoints[0]).toEqual(LYON);
      kubectl("delete", "service", "shared", `--namespace=${SHOP}`);
      await waitFor("theirs alone", async () => Bun.deepEquals(await addressesOf("shared"), ["10.97.0.9"]));
      expect((await specOf("shared"))?.endpoints).toEqual([LYON]);
    });

    test("that other clusters could not reach says so in an Event of its own", async () => {
      await addService("alias", { type: "ExternalName", externalName: "web.example" });
      await start("d");
      expect(await waitFor("the Event", () => eventOf("ExportRefused"))).toMatchObject({
        note: expect.stringContaining("ExternalName"),
        regarding: { kind: "Service", namespace: SHOP, name: "alias" },
      });
      expect(await globalService("alias")).toBeUndefined();
    });
  });

  test("a GlobalService that cannot be read is told of in an Event, and left as it is", async () => {
    const cluster =
      "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/endpoints/items/properties/cluster";
    const patch = [{ op: "remove", path: `${cluster}/maxLength` }];
    kubectl("patch", "crd", "globalservices.dns.fabedge.io", "--type=json", `--patch=${JSON.stringify(patch)}`);
    const endpoints = [{ addresses: ["10.97.0.9"], cluster: "n".repeat(300) }];
    const global = {
      ...{ apiVersion: "dns.fabedge.io/v1alpha1", kind: "GlobalService" },
      metadata: { name: "strange", namespace: SHOP },
      spec: { type: "ClusterIP", ports: [{ port: 80, protocol: "TCP" }], endpoints },
    };
    await waitFor("the looser definition", () => tryToApply(global));
    await addService("strange", { clusterIP: "10.96.0.84" });
    const operator = await start("i");
    expect(await waitFor("the Event", () => eventOf("Unreadable"))).toMatchObject({
      action: "Export",
      note: expect.stringContaining("spec.endpoints[0].cluster"),
      regarding: { kind: "GlobalService", namespace: SHOP, name: "strange" },
    });
    await addService("beside", { clusterIP: "10.96.0.85" });
    await waitFor("the next one", () => globalService("beside"));
    expect(globalWrites(operator)).toEqual([`POST dns.fabedge.io/v1alpha1/namespaces/${SHOP}/globalservices`]);
    expect(await addressesOf("strange")).toEqual(["10.97.0.9"]);
    kubectl("delete", "globalservice", "strange", `--namespace=${SHOP}`);
    await waitFor("ours, once it is gone", async () => Bun.deepEquals(await addressesOf("strange"), ["10.96.0.84"]));
    kubectl("apply", "--server-side", "--force-conflicts", `--filename=${CRD}`);
  });

  test("what stands there already is not written again by the next operator", async () => {
    await addService("web", { clusterIP: "10.96.0.80" });
    const first = await start("e");
    await waitFor("it", () => globalService("web"));
    await first.close();
    running = [];
    const before = (await globalService("web"))?.metadata.resourceVersion;
    const second = await start("f");
    await second.settled();
    await addService("next", { clusterIP: "10.96.0.82" });
    await waitFor("what came after it", () => globalService("next"));
    expect(globalWrites(second)).toEqual([`POST dns.fabedge.io/v1alpha1/namespaces/${SHOP}/globalservices`]);
    expect((await globalService("web"))?.metadata.resourceVersion).toBe(before);
  });

  test("two who lead for a moment, or an answer that gets lost, leave one GlobalService that is right", async () => {
    let lost = 0;
    const losing = await start("g", ({ method, path }) => {
      const isWrite = method !== "GET" && path.includes("/globalservices") && lost < 2;
      if (isWrite) lost += 1;
      return { kind: isWrite ? "lose" : "pass" };
    });
    await losing.leads();
    await addService("lost", { clusterIP: "10.96.0.83" });
    await waitFor("it", async () => Bun.deepEquals(await addressesOf("lost"), ["10.96.0.83"]));
    const { uid } = (await globalService("lost"))?.metadata ?? {};
    await addService("lost", { clusterIP: "10.96.0.83", ports: [{ name: "http", port: 81, protocol: "TCP" }] });
    await waitFor("the other port", async () => (await specOf("lost"))?.ports[0]?.port === 81);
    await waitFor("both answers lost", () => lost === 2);
    expect((await globalService("lost"))?.metadata.uid).toBe(uid);
    expect(await addressesOf("lost")).toEqual(["10.96.0.83"]);
  });

  test("a cluster without the kind gets everything else, and exports as soon as it has it", async () => {
    kubectl("delete", "crd", "globalservices.dns.fabedge.io");
    const operator = await start("h");
    await operator.settled();
    await addNode("e1", 1);
    await waitFor("its ConfigMap", () => see("configmap", "fabedge-agent-config-e1"));
    await waitFor("a word about it", () => operator.log.some(({ event }) => event === "kube.unread"));
    kubectl("apply", "--server-side", `--filename=${CRD}`);
    await waitFor("the GlobalService", async () => (await addressesOf("web")).includes("10.96.0.80"), {
      timeout: seconds(90),
    });
  }, 120_000);
});
