import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { seconds } from "../../../src/base/duration.ts";
import { ApiServer, apiServerPrograms } from "../../lab/api-server.ts";
import type { Host } from "../../lab/host.ts";
import { Lab } from "../../lab/lab.ts";
import type { LabProcess } from "../../lab/process.ts";
import { toolPaths } from "../../lab/tools.ts";
import { waitFor } from "../../lab/wait-for.ts";

const ROOT = join(import.meta.dir, "../../..");
const OPERATOR = join(ROOT, "dist/selvedge-cloud-linux-x64");
const AGENT = join(ROOT, "dist/selvedge-linux-x64");
const CLOUD = "192.0.2.1";
const KUBECONFIG = "/etc/administrator.kubeconfig";
const NAMESPACE = "fabedge";
const TLS = "/etc/selvedge/tls";

let lab: Lab;
let cloud: Host;
let edge: Host;
let server: ApiServer;
let kubectl: (...words: readonly string[]) => Promise<string>;
let operators: LabProcess[] = [];

beforeAll(async () => {
  lab = await Lab.create();
  const wan = await lab.switch("wan");
  [cloud, edge] = await Promise.all([lab.host("cloud"), lab.host("e1")]);
  await cloud.connect(wan, { address: `${CLOUD}/24` });
  await edge.connect(wan, { address: "192.0.2.11/24" });
  server = await ApiServer.start(cloud, CLOUD, await apiServerPrograms());
  await cloud.writeFile(KUBECONFIG, server.administratorKubeconfig, "0600");
  const tools = await toolPaths("kubectl");
  kubectl = (...words) => cloud.output([tools.kubectl, `--kubeconfig=${KUBECONFIG}`, ...words]);
  await kubectl("apply", "--server-side", `--filename=${ROOT}/cloud/crds`);
  await kubectl("wait", "--for=condition=Established", "crd/communities.fabedge.io", "crd/clusters.fabedge.io");
  await kubectl("create", "namespace", NAMESPACE);
  await addNode("cloud1", 100, false);
  for (const n of [1, 2, 3, 4, 5, 6]) await addNode(`e${n}`, n);
  await addNode("podded", 9, true, { "selvedge.io/agent-mode": "pod" });
  await startOperators();
}, seconds(120));
afterAll(() => lab?.close());

async function addNode(name: string, n: number, isEdge = true, more: Readonly<Record<string, string>> = {}) {
  const labels = isEdge ? { "node-role.kubernetes.io/edge": "", ...more } : {};
  const podCIDR = `10.1.${n}.0/24`;
  await server.apply({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels },
    spec: { podCIDR, podCIDRs: [podCIDR] },
  });
  await setAddress(name, `192.168.9.${n}`);
}

async function setAddress(name: string, address: string) {
  const patch = { status: { addresses: [{ type: "InternalIP", address }] } };
  await kubectl("patch", "node", name, "--subresource=status", "--type=merge", `--patch=${JSON.stringify(patch)}`);
}

/** Two: one leads, and both let nodes in. */
async function startOperators(): Promise<void> {
  const settings = ["--cluster=paris", "--cni-type=flannel", "--cluster-cidr=10.1.0.0/16"];
  const connector = [`--connector-public-addresses=${CLOUD}`, `--kubeconfig=${KUBECONFIG}`];
  const timing = ["--leader-lease-duration=3s", "--leader-renew-deadline=2s", "--leader-retry-period=500ms"];
  const start = (n: number) =>
    cloud.spawn(
      [
        ...[OPERATOR, "operator", ...settings, ...connector, ...timing],
        ...[`--join-listen=:303${n}`, `--http-bind=127.0.0.1:808${n}`],
      ],
      { ready: /"join.listening"/, timeout: seconds(30) },
    );
  operators = await Promise.all([start(0), start(1)]);
}

const token = (...words: readonly string[]) => cloud.run([OPERATOR, "token", ...words], { env: { KUBECONFIG } });

/** @returns the words behind "selvedge", as they are printed */
async function createToken(node: string, port = 3030, ...words: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await token("create", node, `--server=https://${CLOUD}:${port}`, ...words);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim().split(" ").slice(1);
}

const runJoin = (words: readonly string[], folder = TLS) => edge.run([AGENT, ...words, "--tls-dir", folder]);

interface SecretJson {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly data: Readonly<Record<string, string>>;
}

async function secretOf(
  node: string,
): Promise<{ readonly label: string | undefined; readonly text: (key: string) => string }> {
  const json = await kubectl("get", "secret", `fabedge-agent-tls-${node}`, `-n${NAMESPACE}`, "--output=json");
  const { metadata, data } = JSON.parse(json) as SecretJson;
  return { label: metadata.labels["selvedge.io/private-key"], text: (key) => atob(data[key] ?? "") };
}

const tokens = () =>
  kubectl("get", "secrets", `-n${NAMESPACE}`, "--field-selector=type=selvedge.io/join-token", "-oname");

/** What openssl says of a certificate in a file of the edge node. */
const inspect = (file: string, ...words: readonly string[]) =>
  edge.output(["openssl", "x509", "-in", file, "-noout", ...words]);

describe("selvedge join", () => {
  test("by the line that token create prints, leaves key, certificate and authorities on the node", async () => {
    const { code, stderr } = await runJoin(await createToken("e1"));
    expect({ code, stderr }).toMatchObject({ code: 0 });
    await edge.output(["openssl", "verify", "-CAfile", `${TLS}/ca.crt`, `${TLS}/tls.crt`]);
    const said = await inspect(`${TLS}/tls.crt`, "-subject", "-ext", "subjectAltName", "-nameopt", "RFC2253");
    expect(said).toContain("CN=paris.e1,O=fabedge.io,C=CN");
    expect(said).toContain("DNS:paris.e1, IP Address:192.168.9.1");
    const ofKey = await edge.output(["openssl", "pkey", "-in", `${TLS}/tls.key`, "-pubout"]);
    expect(await inspect(`${TLS}/tls.crt`, "-pubkey")).toBe(ofKey);
    const { label, text } = await secretOf("e1");
    expect(label).toBe("node");
    expect(text("tls.key")).toBe("");
    expect(text("tls.crt")).toBe(await edge.readFile(`${TLS}/tls.crt`));
    expect((await token("list")).stdout).toMatch(/^e1 .* used$/m);
  });

  test("is refused a second time, but for the same key", async () => {
    const words = await createToken("e2");
    expect((await runJoin(words, "/run/tls-e2")).code).toBe(0);
    expect((await runJoin(words, "/run/tls-e2")).code).toBe(0);
    expect((await secretOf("e2")).text("tls.crt")).toBe(await edge.readFile("/run/tls-e2/tls.crt"));
    const again = await runJoin(words, "/run/tls-e2b");
    expect(again.code).not.toBe(0);
    expect(again.stderr).toContain("it is not known, or was used");
  });

  test("lets one of two in that come at once, one at each replica", async () => {
    const words = await createToken("e3");
    const other = words.map((word) => word.replace(":3030", ":3031"));
    const both = await Promise.all([runJoin(words, "/run/tls-e3a"), runJoin(other, "/run/tls-e3b")]);
    expect(both.map(({ code }) => code === 0).sort()).toEqual([false, true]);
    const folder = both[0].code === 0 ? "/run/tls-e3a" : "/run/tls-e3b";
    expect((await secretOf("e3")).text("tls.crt")).toBe(await edge.readFile(`${folder}/tls.crt`));
  });

  test("is refused with a token that has ended", async () => {
    const { code, stderr } = await runJoin(await createToken("e4", 3030, "--expires=1ms"), "/run/tls-e4");
    expect(code).not.toBe(0);
    expect(stderr).toContain("it ended at");
    expect((await token("list")).stdout).toMatch(/^e4 .* ended$/m);
  });

  test("is refused with another node's token", async () => {
    const words = await createToken("e4");
    const { code, stderr } = await runJoin(
      words.map((word) => word.replace(/^e4\./, "e5.")),
      "/run/tls-e5",
    );
    expect(code).not.toBe(0);
    expect(stderr).toContain("it is not known, or was used");
    expect((await secretOf("e5")).label).toBeUndefined();
    expect((await token("delete", "e4")).code).toBe(0);
    expect((await token("delete", "e4")).stderr).toContain("as there is none");
  });

  test.each([
    ["cloud1", "it is no edge node of this cluster"],
    ["podded", "its agent is a pod"],
  ])("is refused for %s: %s, and the token stays", async (node, why) => {
    const words = await createToken(node);
    const { code, stderr } = await runJoin(words, `/run/tls-${node}`);
    expect(code).not.toBe(0);
    expect(stderr).toContain(why);
    expect(await tokens()).toContain(`selvedge-join-${node}`);
  });

  test("waits for a node that comes later, with the same token", async () => {
    const { stdout, stderr } = await token("create", "e7", `--server=https://${CLOUD}:3030`);
    expect(stderr).toContain("Node e7 is no edge node yet");
    const words = stdout.trim().split(" ").slice(1);
    expect((await runJoin(words, "/run/tls-e7")).code).not.toBe(0);
    await addNode("e7", 7);
    await waitFor("its Secret", () => secretOf("e7"));
    expect((await runJoin(words, "/run/tls-e7")).code).toBe(0);
  });

  test("works with a token from before the operators were killed and started again", async () => {
    const words = await createToken("e6");
    await Promise.all(operators.map((operator) => operator.kill()));
    await startOperators();
    const { code, stderr } = await runJoin(words, "/run/tls-e6");
    expect({ code, stderr }).toMatchObject({ code: 0 });
  }, 60_000);

  test("is shown the address of the Service that has a port named join", async () => {
    const ports = [{ name: "join", port: 3030, nodePort: 30303 }];
    const metadata = { name: "operator", namespace: NAMESPACE };
    await server.apply({ apiVersion: "v1", kind: "Service", metadata, spec: { type: "NodePort", ports } });
    const { code, stdout, stderr } = await token("create", "e5", "-o", "json");
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ node: "e5", server: `https://${CLOUD}:30303` });
  });
});

describe("a certificate whose key is on the node", () => {
  test("is issued again for the same key when the node's address is another, and the key stays there", async () => {
    const before = (await secretOf("e1")).text("tls.crt");
    await setAddress("e1", "192.168.9.201");
    const now = await waitFor("another certificate", async () => {
      const { text } = await secretOf("e1");
      return text("tls.crt") !== before && text("tls.crt");
    });
    await edge.writeFile("/run/renewed.crt", now);
    expect(await inspect("/run/renewed.crt", "-ext", "subjectAltName")).toContain("IP Address:192.168.9.201");
    const ofKey = await edge.output(["openssl", "pkey", "-in", `${TLS}/tls.key`, "-pubout"]);
    expect(await inspect("/run/renewed.crt", "-pubkey")).toBe(ofKey);
    const { label, text } = await secretOf("e1");
    expect(label).toBe("node");
    expect(text("tls.key")).toBe("");
  });

  test("is issued again for the same key when somebody damages it in the Secret", async () => {
    const damage = JSON.stringify({ data: { "tls.crt": btoa("rubbish") } });
    await kubectl("patch", "secret", "fabedge-agent-tls-e2", `-n${NAMESPACE}`, `--patch=${damage}`);
    const healed = await waitFor("another certificate", async () => {
      const text = (await secretOf("e2")).text("tls.crt");
      return text.startsWith("-----BEGIN") && text;
    });
    await edge.writeFile("/run/healed.crt", healed);
    const ofKey = await edge.output(["openssl", "pkey", "-in", "/run/tls-e2/tls.key", "-pubout"]);
    expect(await inspect("/run/healed.crt", "-pubkey")).toBe(ofKey);
  });

  test("is in no Secret of the cluster, in no form", async () => {
    const all = JSON.parse(await kubectl("get", "secrets", "--all-namespaces", "--output=json")) as {
      readonly items: readonly SecretJson[];
    };
    const body = (pem: string) => pem.replace(/-----[^-]+-----|\s/g, "");
    const secret = body(await edge.readFile(`${TLS}/tls.key`));
    expect(secret.length).toBeGreaterThan(100);
    const texts = all.items.flatMap(({ data }) => Object.values(data ?? {}).map((value) => body(atob(value))));
    expect(texts.length).toBeGreaterThan(10);
    expect(texts.some((text) => text.includes(secret))).toBe(false);
    const held = all.items.filter(({ metadata }) => metadata.labels?.["selvedge.io/private-key"] === "node");
    expect(held.map(({ metadata }) => metadata.name)).toEqual([1, 2, 3, 6, 7].map((n) => `fabedge-agent-tls-e${n}`));
    for (const { data } of held) expect(Object.values(data).map(atob).join()).not.toContain("PRIVATE KEY");
  });
});
