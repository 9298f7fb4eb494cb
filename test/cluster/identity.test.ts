import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { StatusReport } from "../../src/network/agent-report.ts";
import { ApiServer, apiServerPrograms } from "../lab/api-server.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import type { LabProcess } from "../lab/process.ts";
import type { KubernetesObject } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { AGENT, conditionOf, statusOf } from "../support/edge-world.ts";
import { FabEdgeAuthority, type FabEdgeCredentials } from "../support/fabedge-authority.ts";

const CLOUD = "192.0.2.1";
const KUBECONFIG = "/etc/selvedge/kubeconfig";
const CONFIG_MAP = "fabedge-agent-config-e1";
const SECRET = "fabedge-agent-tls-e1";
const START_LIMIT = 120_000;
/** A watch tells of it; the next list would come later. */
const PROMPTLY = { timeout: seconds(20) };
/** The agent asks a server that was away again after pauses that grow. */
const SOON = { timeout: seconds(60) };

let lab: Lab;
let edge: Host;
let server: ApiServer;
let authority: FabEdgeAuthority;
let credentials: FabEdgeCredentials;
let agent: LabProcess;

beforeAll(async () => {
  authority = await FabEdgeAuthority.create();
  credentials = await authority.issue("paris.e1");
  lab = await Lab.create();
  const wan = await lab.switch("wan");
  const cloud = await lab.host("cloud");
  edge = await lab.host("e1");
  await cloud.connect(wan, { address: `${CLOUD}/24` });
  await edge.connect(wan, { address: "192.0.2.11/24" });
  server = await ApiServer.start(cloud, CLOUD, await apiServerPrograms());
  await server.apply({ apiVersion: "v1", kind: "Node", metadata: { name: "e1" } });
  await server.apply(configMap("paris.connector"));
  await server.apply(secret(credentials));
  // Another node's, which this one may not see.
  await server.apply({ ...secret(credentials), metadata: { namespace: "fabedge", name: "fabedge-agent-tls-e2" } });
  await allow(CONFIG_MAP, SECRET);
  await edge.writeFile(KUBECONFIG, server.kubeconfig, "0600");
  agent = await startAgent();
}, START_LIMIT);
afterAll(async () => {
  await lab?.close();
  authority?.[Symbol.dispose]();
});

function startAgent(): Promise<LabProcess> {
  const words = ["--node-name=e1", "--source=api-server", `--kubeconfig=${KUBECONFIG}`, "--enable-dns=false"];
  return edge.spawn([AGENT, "run", ...words, "--cni-bin-path=/var/lib/cni/bin"], { ready: /agent\.ready/ });
}

/** As FabEdge 1.0.0's operator writes them (reference A.5). */
function configMap(...peers: readonly string[]): KubernetesObject {
  const text = [
    "id: C=CN, O=fabedge.io, CN=paris.e1",
    "name: paris.e1",
    "nodeSubnets:\n- 192.0.2.11",
    "peers:",
    ...peers.map((peer) => `- id: C=CN, O=fabedge.io, CN=${peer}\n  name: ${peer}\n  nodeSubnets:\n  - 10.0.0.1`),
    ...["publicAddresses:\n- 192.0.2.11", "subnets:\n- 10.1.7.0/24", "type: EdgeNode"],
  ].join("\n");
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "fabedge", name: CONFIG_MAP },
    data: { "tunnels.yaml": `${text}\n` },
  };
}

function secret({ certificate, key, authorities }: FabEdgeCredentials): KubernetesObject {
  const data = { "tls.crt": certificate, "tls.key": key, "ca.crt": authorities, "ipsec.secrets": ": RSA tls.key\n" };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace: "fabedge", name: SECRET, labels: { "fabedge.io/node": "e1" } },
    type: "kubernetes.io/tls",
    data: Object.fromEntries(Object.entries(data).map(([name, text]) => [name, btoa(text)])),
  };
}

/** The account may see those by their names, and no others of their kinds. */
async function allow(configMapName: string, secretName: string): Promise<void> {
  const metadata = { namespace: "fabedge", name: "edge-node-e1" };
  const read = { apiGroups: [""], verbs: ["get", "list", "watch"] };
  const rules = [
    { ...read, resources: ["configmaps"], resourceNames: [configMapName] },
    { ...read, resources: ["secrets"], resourceNames: [secretName] },
  ];
  const group = "rbac.authorization.k8s.io";
  const apiVersion = `${group}/v1`;
  const roleRef = { apiGroup: group, kind: "Role", name: metadata.name };
  const subjects = [{ apiGroup: group, kind: "User", name: "edge-reader" }];
  await server.apply({ apiVersion, kind: "Role", metadata, rules });
  await server.apply({ apiVersion, kind: "RoleBinding", metadata, roleRef, subjects });
}

const fabric = async (): Promise<StatusReport["fabric"]> => (await statusOf(edge)).fabric;
const told = (code: string) => waitFor(code, () => conditionOf(edge, code), SOON);
const untold = (code: string) => waitFor(`no ${code}`, async () => (await conditionOf(edge, code)) === undefined, SOON);

/** As openssl reads it. */
async function endOf({ certificate }: FabEdgeCredentials): Promise<string> {
  const { stdout } = await edge.run(["openssl", "x509", "-noout", "-enddate"], { input: certificate });
  return new Date(stdout.trim().replace("notAfter=", "")).toISOString();
}

describe("a node that may read its own ConfigMap and Secret alone", () => {
  test("knows who it is from what FabEdge's operator made", async () => {
    await waitFor("its name", async () => (await fabric()).name === "paris.e1", SOON);
    await waitFor("its certificate", async () => (await fabric()).certificateEnds !== null, SOON);
    expect(await fabric()).toMatchObject({ peers: 1, certificateEnds: await endOf(credentials) });
    const { conditions, source } = await statusOf(edge);
    expect(conditions.filter(({ component }) => component === "source" || component === "identity")).toEqual([]);
    expect(source.kinds.map(({ kind, state, objects }) => `${kind} ${state} ${objects}`)).toEqual(
      expect.arrayContaining(["ConfigMap watching 1", "Secret watching 1"]),
    );
  });

  test("hears of new peers and of a renewed certificate at once", async () => {
    await server.apply(configMap("paris.connector", "paris.e2"));
    await waitFor("two peers", async () => (await fabric()).peers === 2, PROMPTLY);
    credentials = await authority.issue("paris.e1", { days: 100 });
    await server.apply(secret(credentials));
    const end = await endOf(credentials);
    await waitFor("the renewed one", async () => (await fabric()).certificateEnds === end, PROMPTLY);
  });

  test("keeps what was good when a document is broken, in the cloud's eyes as well", async () => {
    const other = await authority.issue("paris.e1");
    await server.apply(secret({ ...credentials, key: other.key }));
    expect((await told("OBJECTS_REJECTED")).message).toContain(
      `Secret fabedge/${SECRET}: tls.key: not the key of the certificate`,
    );
    await server.apply(configMap("paris.connector", 'paris.e3\n  port: "x"'));
    await waitFor(
      "both",
      async () => (await conditionOf(edge, "OBJECTS_REJECTED"))?.message.includes("2 objects"),
      SOON,
    );
    expect(await fabric()).toMatchObject({ peers: 2, certificateEnds: await endOf(credentials) });
    await server.apply(secret(credentials));
    await server.apply(configMap("paris.connector"));
    await untold("OBJECTS_REJECTED");
    await waitFor("one peer", async () => (await fabric()).peers === 1);
  });

  test("still knows it after a restart without the cloud, and hides its key on the disk and in the log", async () => {
    await server.kill();
    await agent.stop();
    const before = agent.log;
    agent = await startAgent();
    expect(await fabric()).toMatchObject({ name: "paris.e1", peers: 1, certificateEnds: await endOf(credentials) });
    const open = await edge.output(["find", "/var/lib/selvedge", "-type", "f", "-perm", "/077"]);
    expect(open).toBe("");
    expect(before + agent.log).not.toContain("PRIVATE KEY");
    await server.restart();
    await untold("SOURCE_UNREACHABLE");
  }, 120_000);

  test("goes on when they are taken away, and says that they are", async () => {
    await server.delete(configMap());
    expect((await told("NODE_CONFIG_GONE")).message).toContain(`ConfigMap fabedge/${CONFIG_MAP} is gone`);
    expect(await fabric()).toMatchObject({ name: "paris.e1", peers: 1 });
    await server.apply(configMap("paris.connector"));
    await untold("NODE_CONFIG_GONE");
  });

  test("says that they are refused, and serves services all the same", async () => {
    await allow("another", "another");
    // A watch that is open stays so; whoever begins asks whether it may.
    await agent.stop();
    agent = await startAgent();
    expect(await told("NODE_DOCUMENTS_WITHHELD")).toMatchObject({ severity: "degraded" });
    expect((await statusOf(edge)).source.connected).toBe(true);
    await allow(CONFIG_MAP, SECRET);
    await untold("NODE_DOCUMENTS_WITHHELD");
  }, 180_000);
});
