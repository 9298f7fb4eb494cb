import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import type { NodeConfig } from "../../src/network/node-config.ts";
import { formatNodeConfig } from "../../src/network/node-config-text.ts";
import { ApiServer, apiServerPrograms } from "../lab/api-server.ts";
import { KubeEdgeCloud } from "../lab/kubeedge-cloud.ts";
import { globalServiceObject, type KubernetesObject } from "../lab/service-objects.ts";
import { toolPaths } from "../lab/tools.ts";
import { waitFor } from "../lab/wait-for.ts";
import { conditionOf, dig, digName, objectsOf, PODS, statusOf, type TestService } from "../support/edge-world.ts";
import {
  CLOUD_ADDRESS,
  clusterObjectsOf,
  EDGECORES,
  endpointsOf,
  MetaServerNode,
  nodeObject,
  service,
} from "../support/metaserver-node.ts";
import { makeAuthority, makeCredentials } from "../support/node-credentials.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../support/tunnel-objects.ts";

const GLOBAL_SERVICES_CRD = join(import.meta.dir, "../../cloud/crds/globalservices.yaml");
const { "web-1": FIRST, "web-2": SECOND } = PODS;

function ownDocuments() {
  const { certificates, key, authorities } = makeCredentials(makeAuthority(), "paris.edge1");
  const data = { "tls.crt": certificates, "tls.key": key.reveal(), "ca.crt": authorities };
  const secret: KubernetesObject = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace: "fabedge", name: "fabedge-agent-tls-edge1" },
    type: "kubernetes.io/tls",
    data: Object.fromEntries(Object.entries(data).map(([name, text]) => [name, btoa(text)])),
  };
  const own: NodeConfig = { endpoint: makeEdgeEndpoint("paris.edge1"), peers: [], mediator: undefined, peerShards: 0 };
  return { own, secret };
}

function configMapOf(config: NodeConfig): KubernetesObject {
  const metadata = { namespace: "fabedge", name: "fabedge-agent-config-edge1" };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "tunnels.yaml": formatNodeConfig(config) } };
}

describe.each(EDGECORES)("behind a real cloudcore and the metaServer of %s, an agent", (edgecore) => {
  const web = service("web", 1, FIRST);
  let world: MetaServerNode;
  let server: ApiServer;
  let cloudcore: KubeEdgeCloud;

  const applyAll = async (objects: readonly KubernetesObject[]) => {
    for (const object of objects) await server.apply(object);
  };
  /** The API server takes Endpoints away with their service. */
  const remove = async (which: TestService) => {
    for (const object of objectsOf(which)) await server.delete(object);
  };

  beforeAll(async () => {
    world = await MetaServerNode.create({ edgecore });
    server = await ApiServer.start(world.cloud, CLOUD_ADDRESS, await apiServerPrograms());
    await server.apply(nodeObject());
    const { cloudcore: program } = await toolPaths("cloudcore");
    cloudcore = await KubeEdgeCloud.start(world.cloud, server, { program, certificates: world.certificates });
    await applyAll(clusterObjectsOf(web));
    await world.edgecore.start();
    await world.edgecore.connected();
    await world.startAgent();
  }, seconds(120));
  afterAll(() => world?.[Symbol.asyncDispose]());

  test("lives on Endpoints, as the role that KubeEdge gives cloudcore has no EndpointSlices, and says so", async () => {
    await world.serves(web);
    await waitFor("the news", () => conditionOf(world.edge, "ENDPOINT_SLICES_WITHHELD"));
    expect((await statusOf(world.edge)).source.kinds).toContainEqual(
      expect.objectContaining({ kind: "Node", objects: 1 }),
    );
    expect(await conditionOf(world.edge, "NODE_UNKNOWN")).toBeUndefined();
    expect(await conditionOf(world.edge, "SOURCE_UNREACHABLE")).toBeUndefined();
  });

  test("follows a service as it comes, changes and goes", async () => {
    const short = service("short", 2, FIRST);
    await applyAll(clusterObjectsOf(short));
    await world.serves(short);
    await server.apply(endpointsOf({ ...short, endpoints: [SECOND] }));
    await world.serves({ ...short, endpoints: [SECOND] });
    await remove(short);
    await world.servesNoLonger(short);
  });

  test("misses nothing where GlobalServices are not installed, and has them once they are", async () => {
    const stateOf = async (kind: string) =>
      (await statusOf(world.edge)).source.kinds.find((one) => one.kind === kind)?.state;
    await waitFor("its word", async () => (await stateOf("GlobalService")) === "withheld");
    const conditions = (await statusOf(world.edge)).conditions.map(({ code }) => code);
    expect(conditions.filter((code) => /^(?:SOURCE|OBJECTS)_/.test(code))).toEqual([]);

    await server.apply(Bun.YAML.parse(await Bun.file(GLOBAL_SERVICES_CRD).text()) as KubernetesObject);
    await cloudcore.allow("globalservices");
    const far = (address: string) => globalServiceObject("far", { lyon: address });
    await waitFor("the kind", () => server.apply(far("10.97.0.40")).then(Boolean, () => false));
    // It asks for what it was not given after minutes, and when it starts.
    await world.killAgent();
    await world.startAgent();
    const name = "far.default.svc.global";
    await waitFor("the name", async () => (await digName(world.edge, name)) === "10.97.0.40");
    await waitFor("the kind followed", async () => (await stateOf("GlobalService")) === "watching");
    await server.apply(far("10.97.0.41"));
    await waitFor("the change", async () => (await digName(world.edge, name)) === "10.97.0.41");
  });

  test("knows who it is from its own ConfigMap and Secret, and hears of new peers", async () => {
    const { own, secret } = ownDocuments();
    await applyAll([configMapOf({ ...own, peers: [makeConnectorEndpoint("paris.connector")] }), secret]);
    await world.nextLists();
    const fabric = async () => (await statusOf(world.edge)).fabric;
    await waitFor("its name and certificate", async () => {
      const { name, certificateEnds } = await fabric();
      return name === "paris.edge1" && certificateEnds !== null;
    });
    expect((await fabric()).peers).toBe(1);
    await server.apply(
      configMapOf({ ...own, peers: ["paris.connector", "lyon.connector"].map((name) => makeConnectorEndpoint(name)) }),
    );
    await waitFor("two peers", async () => (await fabric()).peers === 2);
  });

  test("takes EndpointSlices when the role is given them", async () => {
    await cloudcore.allow("endpointslices", "globalservices");
    await world.nextLists();
    await waitFor("no news", async () => (await conditionOf(world.edge, "ENDPOINT_SLICES_WITHHELD")) === undefined);
    await applyAll(clusterObjectsOf({ ...web, endpoints: [SECOND] }));
    await world.serves({ ...web, endpoints: [SECOND] });
  });

  test(
    "brings no service back that was deleted while the node was cut off",
    async () => {
      const doomed = service("doomed", 3, SECOND);
      await applyAll(clusterObjectsOf(doomed));
      await world.serves(doomed);
      await cloudcore.kill();
      await remove(doomed);
      await world.edgecore.kill();
      await world.edgecore.start();
      await waitFor("news that the cloud is away", () => conditionOf(world.edge, "SOURCE_UNREACHABLE"));
      await world.serves(doomed);
      await cloudcore.restart();
      const after = service("after", 4, FIRST);
      await applyAll(clusterObjectsOf(after));
      await world.edgecore.connected();
      await world.nextLists();
      await world.serves(after);
      await world.servesNoLonger(doomed);
      await world.nextLists();
      expect(await dig(world.edge, "doomed")).toBe("NXDOMAIN");
    },
    seconds(120),
  );
});
