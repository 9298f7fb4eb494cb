import { seconds } from "../../src/base/duration.ts";
import { formatNodeConfig } from "../../src/network/node-config-text.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { ApiServer } from "../lab/api-server.ts";
import { Charon } from "../lab/charon.ts";
import { FabricNetwork } from "../lab/fabric/network.ts";
import { toolPaths } from "../lab/tools.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ip, prefix } from "../support/network-objects.ts";
import { option } from "./option.ts";
import { sampleProcess } from "./process-sample.ts";
import { Report } from "./report/report.ts";
import { OURS, type Quantity } from "./report/series.ts";
import { EdgeFleet, FleetAuthority, fleetEdge } from "./tunnels/edge-fleet.ts";

/**
 * Many edges behind one address reconnect to one connector at once, each with three CHILD_SAs: they lose power all
 * together, and the connector's charon is killed. ESP is charon's own on both ends, which share this machine's processors.
 *
 * test/bench/fleet.ts [--edges N] [--rounds N]
 */
const EDGES = option("edges", 500);
const ROUNDS = option("rounds", 3);
const PROGRAM = `${import.meta.dir}/../../dist/selvedge-cloud-linux-x64`;
const KUBECONFIG = "/etc/selvedge/kubeconfig";
const NAMESPACE = "fabedge";
const HTTP = "127.0.0.1:8082";
const CHILDREN = 3;
const GIVE_UP = seconds(300);

const time = (name: string): Quantity => ({ name, unit: "s", better: "less" });
const FIRST = time("first connection of all edges to all routes and claims");
const POWER = time("power back at all edges to all routes and claims");
const CRASH = time("connector's charon back to all routes and claims");
const memory = (name: string): Quantity => ({ name, unit: "B", better: "less" });
const CONNECTOR_MEMORY = memory("connector, resident");
const CONNECTOR_ANONYMOUS = memory("connector, anonymous");
const CHARON_MEMORY = memory("its charon, resident");

const report = new Report("fleet", `${EDGES} edges behind one address and one connector`, "edges");
await using network = await FabricNetwork.create({ clouds: 1, edges: 1 });
const [cloud] = network.clouds;
const [edge] = network.edges;
if (cloud === undefined || edge === undefined) throw new Error("The fabric is too small");

const { host: uplink } = cloud;
const authority = new FleetAuthority();
const connector: TunnelEndpoint = {
  ...fleetEdge(0),
  id: "C=CN, O=fabedge.io, CN=paris.connector",
  name: "paris.connector",
  publicAddresses: [cloud.publicAddress],
  subnets: [prefix(cloud.podCidrs[0])],
  nodeSubnets: [ip(cloud.address)],
  type: "Connector",
};
const peers = Array.from({ length: EDGES }, (_, number) => fleetEdge(number));
const tools = await toolPaths("etcd", "kube-apiserver", "kubectl");
const server = await ApiServer.start(uplink, cloud.address, tools);
await uplink.writeFile(KUBECONFIG, server.administratorKubeconfig, "0600");
const kubectl = (...words: readonly string[]) => uplink.output([tools.kubectl, `--kubeconfig=${KUBECONFIG}`, ...words]);
const node = { apiVersion: "v1", kind: "Node", metadata: { name: "c1" } };
await server.apply({ ...node, spec: { podCIDR: cloud.podCidrs[0], podCIDRs: [cloud.podCidrs[0]] } });
const status = JSON.stringify({ status: { addresses: [{ type: "InternalIP", address: cloud.address }] } });
await kubectl("patch", "node", "c1", "--subresource=status", "--type=merge", `--patch=${status}`);
const text = (value: string) => Buffer.from(value).toString("base64");
await server.apply({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "connector-tls", namespace: NAMESPACE },
  type: "kubernetes.io/tls",
  data: {
    "tls.crt": text(authority.issue("paris.connector")),
    "tls.key": text(authority.key.pem()),
    "ca.crt": text(authority.certificate),
  },
});
const config = { endpoint: connector, peers, mediator: undefined, peerShards: 0 };
await server.apply({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "connector-config", namespace: NAMESPACE, labels: { "fabedge.io/name": "connector-config" } },
  data: { "tunnels.yaml": formatNodeConfig(config) },
});

const charon = await Charon.start(uplink, { role: "connector" });
const program = await uplink.spawn(
  [PROGRAM, "connector", `--kubeconfig=${KUBECONFIG}`, "--node-name=c1", `--http-bind=${HTTP}`],
  { ready: /connector\.started/ },
);
const fleet = await EdgeFleet.start(edge.host, EDGES, connector, authority);
await connectionsLoaded();

report.add(FIRST, OURS, [await seconded(async () => await fleet.connect())], { size: EDGES });
for (let round = 0; round < ROUNDS; round++) {
  await fleet.vanish();
  await fleet.boot();
  report.add(POWER, OURS, [await seconded(async () => await fleet.connect())], { size: EDGES });
}
report.add(CONNECTOR_MEMORY, OURS, [sampleProcess(program.pid).residentBytes], { size: EDGES });
report.add(CONNECTOR_ANONYMOUS, OURS, [sampleProcess(program.pid).anonymousBytes], { size: EDGES });
report.add(CHARON_MEMORY, OURS, [sampleProcess(charon.pid).residentBytes], { size: EDGES });
for (let round = 0; round < ROUNDS; round++) {
  await charon.kill();
  await fleet.vanish();
  await fleet.boot();
  const back = async () => {
    await charon.start();
    // Before that edges would be refused, and come again a second later.
    await connectionsLoaded();
    await fleet.connect();
  };
  report.add(CRASH, OURS, [await seconded(back)], { size: EDGES });
}
report.finish();

async function connectionsLoaded(): Promise<void> {
  const last = `paris.e${EDGES - 1}:`;
  const loaded = async () => (await charon.swanctl("--list-conns")).includes(last);
  await waitFor("all connections", loaded, { timeout: GIVE_UP });
}

/** At the edges, in the connector's kernel, and told to the cluster. */
async function allThere(): Promise<void> {
  const installed = async () => ((await fleet.charon.swanctl("--list-sas")).match(/INSTALLED/g) ?? []).length;
  await waitFor("all children", async () => (await installed()) === CHILDREN * EDGES, { timeout: GIVE_UP });
  await waitFor("all edges held", async () => (await readHeld()) === EDGES, { timeout: GIVE_UP });
  const routes = () => uplink.output(["ip", "route", "show", "table", "220", "dev", "ipsec0"]);
  await waitFor("all routes", async () => (await routes()).split("\n").length > EDGES, { timeout: GIVE_UP });
  await waitFor("all claims", async () => (await readClaims()) === EDGES, { timeout: GIVE_UP });
}

async function readHeld(): Promise<number> {
  const { stdout } = await uplink.run(["curl", "-s", `http://${HTTP}/metrics`]);
  return Number(/^selvedge_connector_edges_held (\d+)/m.exec(stdout)?.[1] ?? 0);
}

async function readClaims(): Promise<number> {
  const path = "-ojsonpath={.data.edges\\.json}";
  const listed = await kubectl(
    "get",
    "configmap",
    "fabedge-connector-c1",
    `-n${NAMESPACE}`,
    "--ignore-not-found",
    path,
  );
  const { edges } = JSON.parse(listed || '{"edges":[]}') as { readonly edges: readonly unknown[] };
  return edges.length;
}

/** @returns seconds from here until the connector holds all */
async function seconded(begin: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await begin();
  await allThere();
  return (performance.now() - started) / 1000;
}
