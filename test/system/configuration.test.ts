import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { waitFor } from "../lab/wait-for.ts";
import { AGENT, curl, dig, EdgeWorld, HUB_URL, PODS, SETTINGS_FILE, selvedge } from "../support/edge-world.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };

interface Setting {
  readonly name: string;
  readonly value: unknown;
  readonly from: string;
  readonly at: string;
  readonly beat: readonly { readonly at: string; readonly text: string }[];
}

let world: EdgeWorld;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

async function settings(words: string, env: Readonly<Record<string, string>> = {}): Promise<Map<string, Setting>> {
  const { stdout, code } = await selvedge(world.edge, `config view -o json ${words}`.trim(), { env });
  expect(code).toBe(0);
  const items: readonly Setting[] = JSON.parse(stdout).settings;
  return new Map(items.map((setting) => [setting.name, setting]));
}

describe("a setting", () => {
  const env = { SELVEDGE_DNS_CLUSTER_DOMAIN: "from.environment" };

  test("is the flag's, then the environment's, then the file's, then the default, and says which", async () => {
    const name = "dns-cluster-domain";
    expect((await settings("")).get(name)).toMatchObject({ value: "cluster.local", from: "default", beat: [] });

    await world.configure(world.edge, `${name}: from.file`);
    expect((await settings("")).get(name)).toMatchObject({ value: "from.file", from: "file", at: SETTINGS_FILE });

    expect((await settings("", env)).get(name)).toMatchObject({ value: "from.environment", from: "environment" });

    const all = (await settings(`--${name} from.flag`, env)).get(name);
    expect(all).toMatchObject({ value: "from.flag", from: "flag", at: `--${name}` });
    expect(all?.beat.map(({ at, text }) => `${at}=${text}`)).toEqual([
      "SELVEDGE_DNS_CLUSTER_DOMAIN=from.environment",
      `${SETTINGS_FILE}=from.file`,
      "default=cluster.local",
    ]);
  });

  test("is shown to people with what it beat", async () => {
    const { stdout } = await selvedge(world.edge, "config view --origin --dns-cluster-domain from.flag", { env });
    expect(stdout).toMatch(
      /^dns-cluster-domain +from\.flag +--dns-cluster-domain +SELVEDGE_DNS_CLUSTER_DOMAIN=from\.environment .*=from\.file/m,
    );
  });

  test("that won is the one that the agent works with", async () => {
    const agent = await world.startAgent({ args: ["--dns-cluster-domain", "from.flag"], env });
    const ask = async (domain: string) =>
      await world.client.output(["dig", "+short", "+tries=1", "@169.254.25.10", `web.default.svc.${domain}`]);
    await waitFor("the name", async () => (await ask("from.flag")).trim() === WEB.clusterIp);
    for (const domain of ["from.environment", "from.file", "cluster.local"]) expect(await ask(domain)).toBe("");
    await agent.stop();
    await world.configure(world.edge);
  });
});

describe("a wrong setting ends the program with 78 and one sentence", () => {
  test.each([
    ["--proxy-mode fast", {}, "Cannot use --proxy-mode", '"fast"'],
    ["--dns-bind-port 70000", {}, "Cannot use --dns-bind-port", '"70000"'],
    ["--dns-bind-ip 169.254.25", {}, "Cannot use --dns-bind-ip", '"169.254.25"'],
    ["--enable-dns=perhaps", {}, "Cannot use --enable-dns", '"perhaps"'],
    ["", { SELVEDGE_HTTP_BIND: "nowhere" }, "Cannot use SELVEDGE_HTTP_BIND", '"nowhere"'],
    ["--config /etc/no-such-file", {}, "Cannot read the configuration", "/etc/no-such-file"],
  ])("%s %j", async (words, env, what, value) => {
    const { code, stderr, stdout } = await selvedge(world.edge, `run ${words}`.trim(), { env });
    expect([code, stdout]).toEqual([78, ""]);
    const lines = stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toStartWith(what);
    expect(lines[0]).toContain(value);
  });

  test("also in the file, which is named with the setting", async () => {
    await world.configure(world.edge, "proxy-mode: fast");
    const { code, stderr } = await selvedge(world.edge, "run");
    expect(code).toBe(78);
    expect(stderr).toMatch(
      /^Cannot use "proxy-mode" of \/etc\/selvedge\/config\.yaml as .* current value is "fast"\.\n$/,
    );
    await world.configure(world.edge);
  });

  test("and a word that is no setting ends it with 2", async () => {
    const { code, stderr } = await selvedge(world.edge, "run everything");
    expect(code).toBe(2);
    expect(stderr).toContain('"everything"');
  });
});

describe("FabEdge's command line", () => {
  /** As its operator writes it into the agent's DaemonSet, with arguments of older versions. */
  const FABEDGE = [
    ...[
      "--tunnels-conf",
      "/etc/fabedge/tunnels.yaml",
      "--local-cert",
      "edge.crt",
      "--sync-period=1m",
      "--debounce",
      "2s",
    ],
    ...["--enable-hairpinmode=true", "--network-plugin-mtu", "1400", "--masq-outgoing=true", "--enable-ipam=false"],
    ...[
      "--auto-networking=false",
      "--multicast-token",
      "secret-of-somebody",
      "--endpoint-ttl",
      "30s",
      "--use-xfrm=false",
    ],
    ...["--enable-proxy=true", "--proxy-mode", "iptables", "--proxy-cluster-cidr", "10.244.0.0/16"],
    ...["--enable-dns", "--dns-bind-ip", "169.254.25.10", "--dns-cluster-domain", "cluster.local", "--dns-probe"],
    ...["--dummy-interface-name", "fabedge-dummy0", "--log-level", "3", "-v", "5", "--workdir=/var/lib/fabedge"],
  ];

  test("runs, does its job, and says what it ignores and why", async () => {
    const agent = await world.startAgent({ args: FABEDGE });
    await waitFor("the name", async () => (await dig(world.client, "web")) === WEB.clusterIp);
    await waitFor("the service", async () => (await curl(world.client, `http://${WEB.clusterIp}/`)).startsWith("web-"));
    const warnings = agent.log.split("\n").filter((line) => line.includes('"config.warning"'));
    const about = (text: string) => warnings.filter((line) => line.includes(text));
    for (const name of ["sync-period", "use-xfrm", "dns-probe", "workdir"])
      expect([name, about(`Ignored --${name}: `)]).toEqual([name, [expect.any(String)]]);
    for (const name of ["tunnels-conf", "local-cert", "masq-outgoing"]) expect(about(`--${name}`)).toEqual([]);
    expect(about("there is no iptables mode")).toHaveLength(1);
    expect(agent.log).not.toContain("secret-of-somebody");
    await agent.stop();
  });

  test("with an argument that nobody knows runs too, and gets a suggestion", async () => {
    const agent = await world.startAgent({ args: ["--dns-bind-ipp=1.2.3.4", "--from-the-future", "yes"] });
    expect(agent.log).toContain('Ignored --dns-bind-ipp: there is no such setting. Did you mean \\"dns-bind-ip\\"?');
    expect(agent.log).toContain("Ignored --from-the-future");
    expect(agent.log).not.toContain("1.2.3.4");
    await agent.stop();
  });
});

test("neither a .env nor a bunfig.toml in the working directory reaches the agent", async () => {
  await world.edge.writeFile("/run/trap/.env", "SELVEDGE_DNS_CLUSTER_DOMAIN=from.dotenv\n");
  await world.edge.writeFile("/run/trap/bunfig.toml", 'preload = ["/run/trap/preload.ts"]\n');
  await world.edge.writeFile("/run/trap/preload.ts", 'console.log("trapped");\n');
  const view = `cd /run/trap && ${AGENT} config view`;
  const shown = await world.edge.output(["sh", "-c", view]);
  expect(shown).toMatch(/^dns-cluster-domain +cluster\.local +default$/m);
  expect(shown).toMatch(new RegExp(`^source-url +${HUB_URL} +file$`, "m"));
  expect(shown).not.toContain("trapped");
});
