import { beforeAll, describe, expect, test } from "bun:test";
import { errorCode } from "../../../src/base/errors.ts";
import { Scope } from "../../../src/base/scope.ts";
import { KubeClient } from "../../../src/kube/client.ts";
import { EventRecorder } from "../../../src/kube/event-recorder.ts";
import type { EventDescription } from "../../../src/kube/event-series.ts";
import type { Manifest } from "../../../src/kube/manifest.ts";
import { appliedPart, contentDigest, ownedPart } from "../../../src/kube/owned-fields.ts";
import { CONFIG_MAPS, IP_POOLS, NODES, type Resource, SECRETS } from "../../../src/kube/resource.ts";
import { KubeWriter, type Written } from "../../../src/kube/writer.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { administrator, inCluster, kubectl, realFetch } from "../../support/in-cluster.ts";
import { installCalicoCrds } from "../../support/operator-world.ts";

inCluster(import.meta.path, () => {
  const forever = new AbortController().signal;
  const namespace = "default";
  let client: KubeClient;
  let operator: KubeWriter;
  let other: KubeWriter;

  beforeAll(async () => {
    await installCalicoCrds();
    client = new KubeClient(await administrator(), "selvedge-cloud/test", realFetch, new SystemClock());
    operator = new KubeWriter(client, "selvedge-operator");
    other = new KubeWriter(client, "somebody-else");
  });

  const configMap = (name: string, data: Record<string, string>, labels: Record<string, string> = {}): Manifest => ({
    metadata: { namespace, name, labels: { "fabedge.io/app": "fabedge-agent", ...labels } },
    data,
  });
  const applyData = (writer: KubeWriter, name: string, data: Record<string, string>, force = false) =>
    writer.apply(CONFIG_MAPS, configMap(name, data), forever, { force });
  const see = (kind: string, name: string) =>
    JSON.parse(kubectl("get", kind, name, "--output=json", "--show-managed-fields"));
  const codeOf = (promise: Promise<unknown>) => promise.then(() => "none", errorCode);

  describe("server-side apply", () => {
    test("creates an object, changes it, and leaves one alone that is as wanted", async () => {
      const created = await applyData(operator, "one", { a: "1", b: "1" });
      expect(see("configmap", "one")).toMatchObject({ metadata: { uid: created.uid }, data: { a: "1", b: "1" } });
      const changed = await applyData(operator, "one", { a: "2" });
      expect(see("configmap", "one").data).toEqual({ a: "2" });
      expect(changed.resourceVersion).not.toBe(created.resourceVersion);
      expect(await applyData(operator, "one", { a: "2" })).toEqual(changed);
    });

    test("leaves others' fields alone, and takes them over only by force", async () => {
      await applyData(operator, "shared", { ours: "1" });
      await applyData(other, "shared", { theirs: "1" });
      await applyData(operator, "shared", { ours: "2" });
      expect(see("configmap", "shared").data).toEqual({ ours: "2", theirs: "1" });
      const refusal = await applyData(other, "shared", { ours: "3" }).catch((error) => error);
      expect(errorCode(refusal)).toBe("KUBE_CONFLICT");
      expect(String(refusal)).toContain("selvedge-operator");
      await applyData(other, "shared", { ours: "3" }, true);
      expect(see("configmap", "shared").data).toEqual({ ours: "3" });
    });

    test("fails when the object was changed since the plan, is gone, or is another of that name", async () => {
      const seen = await applyData(operator, "guarded", { a: "1" });
      const now = await applyData(other, "guarded", { b: "1" });
      const write = (precondition: Written) =>
        codeOf(operator.apply(CONFIG_MAPS, configMap("guarded", { a: "2" }), forever, { precondition }));
      expect(await write(seen)).toBe("KUBE_CONFLICT");
      expect(see("configmap", "guarded").data).toEqual({ a: "1", b: "1" });
      expect(await write(now)).toBe("none");
      kubectl("delete", "configmap", "guarded");
      expect(await write(now)).toBe("KUBE_CONFLICT");
      await applyData(other, "guarded", { a: "1" });
      expect(await write(now)).toBe("KUBE_CONFLICT");
    });

    test("creates an object that is not there, and of two who do one is refused", async () => {
      const create = (resource: Resource, manifest: Manifest) =>
        operator.apply(resource, manifest, forever, { force: true, precondition: "absent" });
      for (const resource of [CONFIG_MAPS, SECRETS]) {
        const tries = await Promise.all(
          [1, 2, 3].map((n) => codeOf(create(resource, configMap("new", { a: btoa(`${n}`) })))),
        );
        expect(tries.sort()).toEqual(["KUBE_CONFLICT", "KUBE_CONFLICT", "none"]);
        const { uid, managedFields } = see(resource.plural, "new").metadata;
        expect(managedFields).toMatchObject([{ manager: "selvedge-operator", operation: "Apply" }]);
        expect(await codeOf(create(resource, configMap("new", {})))).toBe("KUBE_CONFLICT");
        expect(see(resource.plural, "new").metadata.uid).toBe(uid);
      }
      const pool: Manifest = { metadata: { name: "pool" }, spec: { cidr: "10.1.0.0/16" } };
      expect(await codeOf(create(IP_POOLS, pool))).toBe("none");
      expect(await codeOf(create(IP_POOLS, pool))).toBe("KUBE_CONFLICT");
    });

    test("annotates a Node under its own name, beside what others say of it", async () => {
      const node = (annotations: Record<string, string>): Manifest => ({ metadata: { name: "e1", annotations } });
      await other.apply(NODES, { ...node({ "other.io/a": "x" }), spec: { podCIDR: "10.1.0.0/24" } }, forever);
      await operator.apply(NODES, node({ "fabedge.io/subnets": "10.1.7.0/24" }), forever);
      expect(see("node", "e1").metadata.annotations).toEqual({
        "other.io/a": "x",
        "fabedge.io/subnets": "10.1.7.0/24",
      });
      await operator.apply(NODES, node({}), forever);
      expect(see("node", "e1")).toMatchObject({
        metadata: { annotations: { "other.io/a": "x" } },
        spec: { podCIDR: "10.1.0.0/24" },
      });
    });

    test("writes a status and nothing else", async () => {
      const conditions = [{ type: "Tunnelled", status: "True", reason: "Up", message: "all peers" }].map((c) => ({
        ...c,
        lastHeartbeatTime: null,
        lastTransitionTime: null,
      }));
      await operator.apply(NODES, { metadata: { name: "e1" }, status: { conditions } }, forever, {
        subresource: "status",
      });
      expect(see("node", "e1").status.conditions).toMatchObject([{ type: "Tunnelled", status: "True" }]);
    });

    test("is refused with a code: what is wrong, what is missing, what is too large", async () => {
      const bad = { metadata: { namespace, name: "Bad_Name" } };
      expect(await codeOf(operator.apply(CONFIG_MAPS, bad, forever))).toBe("KUBE_INVALID");
      const homeless = { metadata: { namespace: "nowhere", name: "x" } };
      expect(await codeOf(operator.apply(CONFIG_MAPS, homeless, forever))).toBe("KUBE_NOT_FOUND");
      expect(await codeOf(applyData(operator, "large", { a: "x".repeat(4 * 1024 * 1024) }))).toBe("KUBE_TOO_LARGE");
    });
  });

  describe("what a manager applied", () => {
    const digestOf = (object: unknown) => contentDigest(ownedPart(object, "selvedge-operator"));
    const owner = () => {
      const { uid } = see("node", "e1").metadata;
      return { apiVersion: "v1", kind: "Node", name: "e1", uid, controller: true, blockOwnerDeletion: true };
    };

    test("reads back as the manifest said it, whatever others add", async () => {
      const manifest: Manifest = {
        metadata: {
          namespace,
          name: "digest",
          labels: { "fabedge.io/app": "fabedge-agent" },
          annotations: {},
          ownerReferences: [owner()],
        },
        data: { "tunnels.yaml": "id: x\npeers: []\n", "empty.yaml": "" },
        binaryData: {},
      };
      await operator.apply(CONFIG_MAPS, manifest, forever);
      const wanted = contentDigest(appliedPart(manifest));
      expect(digestOf(see("configmap", "digest"))).toBe(wanted);
      kubectl("label", "configmap", "digest", "somebody.io/was=here");
      kubectl("patch", "configmap", "digest", '--patch={"data":{"more":"1"}}');
      expect(digestOf(see("configmap", "digest"))).toBe(wanted);
    });

    test("no longer reads so when somebody changes it, takes it over or removes it", async () => {
      const manifest = configMap("drift", { a: "1", b: "1" });
      const wanted = contentDigest(appliedPart(manifest));
      for (const patch of ['{"data":{"a":"2"}}', '{"data":{"b":null}}', '{"metadata":{"labels":null}}']) {
        await operator.apply(CONFIG_MAPS, manifest, forever, { force: true });
        expect(digestOf(see("configmap", "drift"))).toBe(wanted);
        kubectl("patch", "configmap", "drift", "--type=merge", `--patch=${patch}`);
        expect(digestOf(see("configmap", "drift"))).not.toBe(wanted);
      }
    });

    test("is nothing of an object that somebody else made", async () => {
      kubectl("create", "configmap", "foreign", "--from-literal=a=1");
      expect(ownedPart(see("configmap", "foreign"), "selvedge-operator")).toBeUndefined();
    });

    test("holds for Secrets, whose bytes are base64", async () => {
      const manifest: Manifest = {
        metadata: { namespace, name: "keys" },
        type: "kubernetes.io/tls",
        data: { "tls.crt": btoa("cert"), "tls.key": btoa("key") },
      };
      await operator.apply(SECRETS, manifest, forever);
      expect(digestOf(see("secret", "keys"))).toBe(contentDigest(appliedPart(manifest)));
    });

    test("holds for a pod, whose many fields the server fills in", async () => {
      kubectl("create", "serviceaccount", "default");
      const manifest: Manifest = {
        metadata: { namespace, name: "agent", labels: { hash: "1" } },
        spec: {
          nodeName: "e1",
          hostNetwork: true,
          automountServiceAccountToken: false,
          tolerations: [{ operator: "Exists" }],
          containers: [
            {
              name: "agent",
              image: "agent:1",
              args: ["--a=1", "--b"],
              volumeMounts: [{ name: "netconf", mountPath: "/etc/fabedge" }],
            },
          ],
          volumes: [{ name: "netconf", configMap: { name: "digest" } }],
        },
      };
      await operator.apply({ ...CONFIG_MAPS, plural: "pods", kind: "Pod" }, manifest, forever);
      expect(digestOf(see("pod", "agent"))).toBe(contentDigest(appliedPart(manifest)));
    });
  });

  describe("deletion", () => {
    test("deletes the object that was meant, once", async () => {
      const first = await applyData(operator, "dying", { a: "1" });
      const changed = await applyData(operator, "dying", { a: "2" });
      const name = { namespace, name: "dying" };
      expect(await codeOf(operator.delete(CONFIG_MAPS, name, first, forever))).toBe("KUBE_CONFLICT");
      expect(await operator.delete(CONFIG_MAPS, name, changed, forever)).toBeTrue();
      expect(await operator.delete(CONFIG_MAPS, name, {}, forever)).toBeFalse();
    });

    test("does not delete a new object of an old name", async () => {
      const first = await applyData(operator, "again", { a: "1" });
      const name = { namespace, name: "again" };
      await operator.delete(CONFIG_MAPS, name, { uid: first.uid }, forever);
      await applyData(operator, "again", { a: "1" });
      expect(await codeOf(operator.delete(CONFIG_MAPS, name, { uid: first.uid }, forever))).toBe("KUBE_CONFLICT");
    });
  });

  describe("events", () => {
    const list = (name: string) =>
      JSON.parse(kubectl("get", "events.events.k8s.io", `--field-selector=regarding.name=${name}`, "--output=json"))
        .items;
    const recorderOf = (scope: Scope, errors: unknown[]) =>
      new EventRecorder(
        {
          writer: operator,
          controller: "selvedge.io/operator",
          instance: "here",
          clock: new SystemClock(),
          newSuffix: () => crypto.randomUUID(),
          onFailure: (error) => errors.push(error),
        },
        scope,
      );
    const event = (name: string, note = "Cannot do it: current value is 1"): EventDescription => ({
      regarding: { apiVersion: "v1", kind: "Node", name, uid: "u" },
      type: "Warning",
      reason: "SubnetConflict",
      action: "Plan",
      note,
    });

    test("are told once, with a count where they repeat, and stand in kubectl's description", async () => {
      const [scope, errors] = [new Scope(), [] as unknown[]];
      const recorder = recorderOf(scope, errors);
      for (let i = 0; i < 5; i++) recorder.record(event("flapping"));
      const [told, ...more] = await waitFor("the count", () => list("flapping")[0]?.series && list("flapping"));
      expect(more).toEqual([]);
      expect(told).toMatchObject({ type: "Warning", reason: "SubnetConflict", series: { count: 2 } });
      expect(kubectl("get", "events", "--field-selector=involvedObject.name=flapping")).toContain("Cannot do it");
      await scope.close();
      expect(errors).toEqual([]);
    });

    test("of any length are taken, cut between characters", async () => {
      const [scope, errors] = [new Scope(), [] as unknown[]];
      recorderOf(scope, errors).record(event("long", "ä".repeat(2000)));
      const told = await waitFor("the event", () => list("long")[0]);
      expect(told.note).toBe("ä".repeat(512));
      await scope.close();
      expect(errors).toEqual([]);
    });

    test("of a flood are told in part, one request at a time", async () => {
      const [scope, errors] = [new Scope(), [] as unknown[]];
      const recorder = recorderOf(scope, errors);
      for (let i = 0; i < 1000; i++) recorder.record(event("flood", `note ${i}`));
      await waitFor("all that are told", () => list("flood").length === 10);
      expect(recorder.dropped).toBe(990);
      await scope.close();
    });

    test("whose Event somebody deleted are told by a new one", async () => {
      const [scope, errors] = [new Scope(), [] as unknown[]];
      const recorder = recorderOf(scope, errors);
      recorder.record(event("deleted"));
      await waitFor("the event", () => list("deleted").length === 1);
      kubectl("delete", "events.events.k8s.io", "--field-selector=regarding.name=deleted");
      recorder.record(event("deleted"));
      await waitFor("a new event", () => {
        recorder.record(event("deleted"));
        return list("deleted").length === 1;
      });
      await scope.close();
      expect(errors).toEqual([]);
    });
  });
});
