import { Operator } from "../../cloud/operator/operator.ts";
import type { OperatorSettings } from "../../cloud/operator/settings.ts";
import { startServiceExport } from "../../cloud/wiring/service-export.ts";
import type { Clock } from "../../src/base/clock.ts";
import { milliseconds } from "../../src/base/duration.ts";
import { Log, type LogRecord } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { Scope } from "../../src/base/scope.ts";
import { KubeClient } from "../../src/kube/client.ts";
import type { LeaseTiming } from "../../src/kube/election.ts";
import { Recovery } from "../../src/kube/recovery.ts";
import { SystemClock } from "../../src/linux/system-clock.ts";
import type { KubernetesObject } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { applyObject, type KubernetesJson, patchObject, readObject } from "./cluster-objects.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { administrator, readText, realFetch } from "./in-cluster.ts";
import { prefix } from "./network-objects.ts";

export const NAMESPACE = "fabedge";

export const SETTINGS: OperatorSettings = {
  cluster: "paris",
  role: "host",
  zone: "default",
  region: "default",
  namespace: NAMESPACE,
  cni: "flannel",
  clusterCidrs: [prefix("10.1.0.0/16")],
  connector: {
    subnets: [prefix("10.96.0.0/16")],
    publicAddresses: ["198.51.100.1"],
    publicPort: 500,
    mediator: false,
  },
  edgeLabels: { "node-role.kubernetes.io/edge": "" },
  edgePools: [],
  keepIpPools: false,
  endpointIdFormat: "C=CN, O=fabedge.io, CN={node}",
  certificateOrganization: "fabedge.io",
  agent: {
    mode: "host",
    image: "selvedge:1",
    strongswanImage: "strongswan:1",
    imagePullPolicy: "IfNotPresent",
    imagePullSecrets: [],
    arguments: {},
  },
};

/** So that nobody waits for a lease to run out. */
const QUICK: LeaseTiming = {
  leaseDuration: milliseconds(2000),
  renewDeadline: milliseconds(1400),
  retryPeriod: milliseconds(300),
};

/** An operator of this process, behind a wire that can be told what to do. */
export class RunningOperator {
  readonly operator: Operator;
  readonly proxy: FaultProxy;
  readonly log: LogRecord[] = [];
  readonly metrics = new Metrics("selvedge");
  readonly #scope = new Scope();

  /** @param choose what happens to its requests, from the first one on */
  static async start(
    identity: string,
    settings: OperatorSettings = SETTINGS,
    choose: Parameters<FaultProxy["choose"]>[0] = () => ({ kind: "pass" }),
    clock: Clock = new SystemClock(),
    timing: LeaseTiming = QUICK,
  ): Promise<RunningOperator> {
    const endpoint = await administrator();
    const { token, tls } = await endpoint.credentials();
    const proxy = await FaultProxy.start(endpoint.url, tls);
    proxy.choose(choose);
    return new RunningOperator(identity, settings, proxy, token, clock, timing);
  }

  private constructor(
    identity: string,
    settings: OperatorSettings,
    proxy: FaultProxy,
    token: string | undefined,
    clock: Clock,
    timing: LeaseTiming,
  ) {
    const credentials = async () => ({ token, tls: undefined });
    this.proxy = proxy;
    const parts = {
      client: new KubeClient({ url: proxy.url, credentials }, "selvedge-cloud/test", realFetch, clock),
      settings,
      identity,
      newEventSuffix: () => crypto.randomUUID(),
      recovery: new Recovery(clock, Math.random, this.#scope),
      clock,
      random: Math.random,
      log: new Log((record) => this.log.push(record), "debug"),
    };
    const exporter = startServiceExport(parts, this.#scope);
    this.operator = new Operator(
      {
        ...parts,
        authoritySecret: "fabedge-ca",
        leaseName: "fabedge-operator-leader",
        timing,
        metrics: this.metrics,
        onTerm: (term) => exporter.lead(term),
      },
      this.#scope,
    );
  }

  /** What it wrote, the Lease and Events left out. */
  get writes(): readonly string[] {
    return this.proxy.writes
      .filter(({ path }) => !/\/(?:leases|events)\b/.test(path))
      .map(({ method, path }) => `${method} ${path.replace(/\?.*/, "").replace(/^\/apis?\//, "")}`);
  }

  async leads(): Promise<void> {
    await waitFor("it leads", () => this.operator.status.leading && this.operator.status.planned);
  }

  /** Until everything is done, as far as it knows. */
  async settled(): Promise<void> {
    await this.leads();
    await waitFor("nothing is left to do", () => /\nselvedge_workqueue_depth 0\n/.test(this.metrics.render()));
    await waitFor("nothing is being done", () =>
      /\nselvedge_workqueue_unfinished_work_seconds 0\n/.test(this.metrics.render()),
    );
  }

  async close(): Promise<void> {
    await this.#scope.close();
    await this.proxy[Symbol.asyncDispose]();
  }

  /** As SIGKILL does: nothing more of it reaches the server, and the lease is not given up. */
  async kill(): Promise<void> {
    this.proxy.become({ kind: "cut" });
    await this.close();
  }
}

/** An operator hears of the object that it has made for its own cluster when all else is done, and writes its status then. */
export async function hasClusterStatus(): Promise<boolean> {
  return (await readText(`/apis/fabedge.io/v1alpha1/clusters/${SETTINGS.cluster}`)).includes('"Ready"');
}

export async function installCrds(): Promise<void> {
  const folder = `${import.meta.dir}/../../cloud/crds`;
  const files = ["clusters", "communities", "globalservices"].map((name) => Bun.file(`${folder}/${name}.yaml`));
  const crds = await Promise.all(files.map(async (file) => Bun.YAML.parse(await file.text()) as KubernetesObject));
  await Promise.all(crds.map(establish));
  await applyObject({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
}

async function establish(crd: KubernetesObject): Promise<void> {
  await applyObject(crd);
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`;
  await waitFor(`${crd.metadata.name} established`, async () => {
    const { status } = JSON.parse(await readText(path)) as KubernetesJson;
    return status?.conditions?.some((each) => each["type"] === "Established" && each["status"] === "True");
  });
}

/** Calico's two kinds that an operator meets, with any content. */
export async function installCalicoCrds(): Promise<void> {
  for (const [kind, plural] of [
    ["IPAMBlock", "ipamblocks"],
    ["IPPool", "ippools"],
  ]) {
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    const crd = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${plural}.crd.projectcalico.org` },
      spec: {
        group: "crd.projectcalico.org",
        scope: "Cluster",
        names: { kind, plural },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    };
    await establish(crd);
  }
}

/** A Node with flannel's pod network and an address, n from 1 to 250. */
export async function addNode(name: string, n: number, edge = true): Promise<void> {
  const labels = edge ? { "node-role.kubernetes.io/edge": "" } : {};
  const cidr = `10.1.${n}.0/24`;
  const spec = { podCIDR: cidr, podCIDRs: [cidr] };
  await applyObject({ apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec });
  const status = { addresses: [{ type: "InternalIP", address: `192.168.9.${n}` }] };
  await patchObject("node", name, { status }, { part: "/status" });
}

export async function addCommunity(name: string, members: readonly string[]): Promise<void> {
  await applyObject({ apiVersion: "fabedge.io/v1alpha1", kind: "Community", metadata: { name }, spec: { members } });
}

/** @returns the object, or undefined where there is none */
export function see(kind: string, name: string, namespace = NAMESPACE): Promise<KubernetesJson | undefined> {
  return readObject(kind, name, namespace);
}

/** What Events tell of an object that is in no namespace, of which there is one by that name. */
export async function eventsOf<Event>(name: string): Promise<readonly Event[]> {
  const text = await readText(
    `/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=regarding.name%3D${name}`,
  );
  return (JSON.parse(text) as { readonly items: readonly Event[] }).items;
}
