import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../lab/wait-for.ts";

const ROOT = join(import.meta.dir, "../../..");
const CLOUD = join(ROOT, "cloud/main.ts");
const EDGE = join(ROOT, "edge/main.ts");
const PLAN = ["--cluster=paris", "--cluster-cidr=10.1.0.0/16", "--connector-public-addresses=127.0.0.1"];
const CALICO = ["--cni-type=calico", "--edge-pod-cidr=10.1.0.0/16"];

let base: string;
let manifests: string;
let state: string;
let hubs: Hub[] = [];
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "selvedge-planning-"));
  [manifests, state] = [join(base, "manifests"), join(base, "state")];
  mkdirSync(manifests);
  putNode("e1", 1);
  putNode("e2", 2);
});
afterEach(async () => {
  await Promise.all(hubs.map((hub) => hub.stop()));
  hubs = [];
  rmSync(base, { recursive: true, force: true });
});

function put(name: string, object: object): void {
  writeFileSync(join(manifests, `${name}.json`), JSON.stringify(object));
}

function putNode(name: string, n: number, podCIDR = `10.1.${n}.0/24`): void {
  put(name, {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "node-role.kubernetes.io/edge": "" } },
    spec: { podCIDRs: [podCIDR] },
    status: { addresses: [{ type: "InternalIP", address: `192.168.9.${n}` }] },
  });
}

interface Served {
  readonly metadata: {
    readonly name: string;
    readonly annotations?: Record<string, string>;
    readonly labels?: Record<string, string>;
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly status?: { readonly conditions?: readonly { readonly reason: string }[] };
}

class Hub {
  readonly #process: Bun.Subprocess<"ignore", "ignore", "pipe">;
  log = "";
  url = "";
  joinUrl = "";

  private constructor(words: readonly string[]) {
    const argv = [process.execPath, CLOUD, "hub", "--manifests", manifests, `--state-dir=${state}`];
    this.#process = Bun.spawn([...argv, ...words], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    void this.#read();
    hubs.push(this);
  }

  static async start(...words: readonly string[]): Promise<Hub> {
    const hub = new Hub(["--listen=127.0.0.1:0", "--join-listen=127.0.0.1:0", ...PLAN, ...words]);
    await waitFor("it serves", () => hub.log.includes('"join.listening"')).catch((error) => {
      throw new Error(`${error.message}\n${hub.log}`);
    });
    hub.url = `http://127.0.0.1:${/"url":"[^"]+:(\d+)\/"/.exec(hub.log)?.[1]}`;
    hub.joinUrl = `https://127.0.0.1:${/"join.listening".*"port":(\d+)/.exec(hub.log)?.[1]}`;
    return hub;
  }

  static async refused(...words: readonly string[]): Promise<{ readonly code: number; readonly log: string }> {
    const hub = new Hub(words);
    const code = await hub.#process.exited;
    await waitFor("its last words", () => hub.log !== "");
    return { code, log: hub.log };
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stderr) this.log += decoder.decode(chunk);
  }

  async ask(path: string): Promise<{ readonly status: number; readonly body: Served & { readonly message?: string } }> {
    const response = await fetch(this.url + path);
    return { status: response.status, body: (await response.json()) as Served };
  }

  async list(plural: string): Promise<readonly Served[]> {
    return ((await (await fetch(`${this.url}/api/v1/namespaces/fabedge/${plural}`)).json()) as { items: Served[] })
      .items;
  }

  config = async (node: string) =>
    (await this.ask(`/api/v1/namespaces/fabedge/configmaps/fabedge-agent-config-${node}`)).body.data?.[
      "tunnels.yaml"
    ] ?? "";

  secret = (node: string) => this.ask(`/api/v1/namespaces/fabedge/secrets/fabedge-agent-tls-${node}`);

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#process.kill(signal);
    await this.#process.exited;
  }
}

function run(...argv: readonly string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, ...argv]);
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

function createToken(hub: Hub, node: string): readonly string[] {
  const { code, stdout, stderr } = run(
    CLOUD,
    "token",
    "create",
    node,
    `--state-dir=${state}`,
    `--server=${hub.joinUrl}`,
  );
  if (code !== 0) throw new Error(stderr);
  return stdout.trim().split(" ").slice(1);
}

describe("a hub that plans", () => {
  test("serves what each node must do, and follows the folder", async () => {
    const hub = await Hub.start();
    expect(await hub.config("e1")).toContain("name: paris.e1");
    expect(await hub.config("e1")).not.toContain("paris.e2");
    const spec = { members: ["paris.e1", "paris.e2"] };
    put("community", { apiVersion: "fabedge.io/v1alpha1", kind: "Community", metadata: { name: "line" }, spec });
    await waitFor("the peer", async () => (await hub.config("e1")).includes("paris.e2"));
    expect((await hub.ask("/apis/fabedge.io/v1alpha1/communities/line")).body.status).toMatchObject({ readyCount: 2 });
    rmSync(join(manifests, "e2.json"));
    await waitFor("the peer gone", async () => !(await hub.config("e1")).includes("paris.e2"));
    expect((await hub.secret("e2")).status).toBe(404);
    expect(readdirSync(state).filter((name) => name.includes("e2"))).toEqual([]);
  });

  test("has the same authority, certificates and subnets after a restart, in files for itself alone", async () => {
    const first = await Hub.start(...CALICO);
    const before = await Promise.all([first.list("secrets"), first.list("configmaps")]);
    const subnets = (await first.ask("/api/v1/nodes/e2")).body.metadata.annotations?.["fabedge.io/subnets"];
    expect(subnets).toMatch(/^10\.1\.\d+\.0\/24$/);
    await first.stop();
    // Somebody older would have got the first subnet.
    putNode("a0", 9);
    const second = await Hub.start(...CALICO);
    expect((await second.ask("/api/v1/nodes/e2")).body.metadata.annotations?.["fabedge.io/subnets"]).toBe(subnets);
    const data = (items: readonly Served[]) =>
      items.filter(({ metadata }) => !metadata.name.includes("a0")).map((i) => i.data);
    expect(data(await second.list("secrets"))).toEqual(data(before[0]));
    expect(data(await second.list("configmaps")).slice(1)).not.toEqual([]);
    expect(statSync(state).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(state)) expect(statSync(join(state, name)).mode & 0o777).toBe(0o600);
  });

  test("goes on serving what a node had while something is wrong with it, after a restart too", async () => {
    const first = await Hub.start();
    const before = await first.config("e2");
    putNode("e2", 2, "10.1.1.0/24");
    const reason = async (hub: Hub) => (await hub.ask("/api/v1/nodes/e2")).body.status?.conditions?.[0]?.reason;
    await waitFor("the condition", async () => (await reason(first)) !== undefined);
    await first.stop();
    const second = await Hub.start();
    expect(await reason(second)).toBe("SubnetConflict");
    expect(await second.config("e2")).toBe(before);
    expect((await second.secret("e2")).status).toBe(200);
  });

  test("says once in its log what is wrong with the folder's objects, as no Event does", async () => {
    const hub = await Hub.start();
    const said = () => hub.log.split("\n").filter((line) => line.includes('"hub.problem"'));
    expect(said()).toEqual([]);
    putNode("e3", 3, "10.1.1.0/24");
    await waitFor("the conflict", () => said().length > 0);
    putNode("e4", 4);
    await waitFor("the next change", async () => (await hub.config("e4")) !== "");
    expect(said().map((line) => JSON.parse(line))).toMatchObject([
      {
        level: "warn",
        code: "SUBNET_CONFLICT",
        name: "Node/e3",
        msg: expect.stringContaining("10.1.1.0/24 of Node e1"),
      },
    ]);
  });

  test("hands private keys out over loopback", async () => {
    const hub = await Hub.start();
    const { body } = await hub.secret("e1");
    expect(atob(body.data?.["tls.key"] ?? "")).toContain("PRIVATE KEY");
  });

  test("hands none out over any other address, and says how nodes get theirs", async () => {
    const hub = await Hub.start("--listen=0.0.0.0:0");
    const { status, body } = await hub.secret("e1");
    expect(status).toBe(403);
    expect(body.message).toContain("no private key out over plain HTTP");
    expect(await hub.list("secrets")).toEqual([]);
    const folder = join(base, "tls");
    const words = createToken(hub, "e1");
    expect(run(EDGE, ...words, "--tls-dir", folder)).toMatchObject({ code: 0 });
    expect(run(EDGE, ...words, "--tls-dir", join(base, "again")).stderr).toContain("it is not known, or was used");
    const joined = await hub.secret("e1");
    expect(joined.body.data?.["tls.key"]).toBe("");
    expect(joined.body.metadata.labels?.["selvedge.io/private-key"]).toBe("node");
    expect(atob(joined.body.data?.["tls.crt"] ?? "")).toBe(readFileSync(join(folder, "tls.crt"), "utf8"));
    expect((await hub.list("secrets")).map(({ metadata }) => metadata.name)).toEqual(["fabedge-agent-tls-e1"]);
    expect(run(EDGE, ...createToken(hub, "nobody"), "--tls-dir", folder).stderr).toContain("no edge node");
  });

  test("is not kept from the first list by a Secret in a manifest: those of files are nobody's", async () => {
    put("secret", { apiVersion: "v1", kind: "Secret", metadata: { name: "x", namespace: "fabedge" }, data: {} });
    const hub = await Hub.start();
    expect(hub.log).toContain("The hub does not serve v1 Secret");
    expect((await hub.list("secrets")).map(({ metadata }) => metadata.name)).not.toContain("x");
  });

  test("does not share its state folder with another hub, and leaves it to the next one even when it is killed", async () => {
    const first = await Hub.start();
    const second = await Hub.refused("--listen=127.0.0.1:0", ...PLAN);
    expect(second.code).toBe(78);
    expect(second.log).toContain("as another hub does");
    expect(second.log).toContain("Stop the other hub, or give this one a --state-dir of its own");
    await first.stop("SIGKILL");
    await Hub.start();
  });

  test("does not keep keys where others may look", async () => {
    mkdirSync(state, { mode: 0o755 });
    chmodSync(state, 0o755);
    expect(await Hub.refused(...PLAN)).toMatchObject({ code: 78, log: expect.stringContaining("its mode is 0755") });
    state = join(manifests, "state");
    expect(await Hub.refused(...PLAN)).toMatchObject({
      code: 78,
      log: expect.stringContaining("not apart from the manifests"),
    });
  });

  test.each([
    [["--join-listen=:0"], "give --cluster too"],
    [["--cluster=paris"], "--connector-public-addresses"],
    [[...PLAN, "--agent-mode=pod"], "host where nobody runs pods"],
    [[...PLAN, "--cluster-role=member"], "host where there is no cluster"],
  ])("is not started with %j: %s", async (words, why) => {
    expect(await Hub.refused(...words)).toMatchObject({ code: 78, log: expect.stringContaining(why) });
  });
});
