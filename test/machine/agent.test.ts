import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { Lab } from "../lab/lab.ts";
import { Machine } from "../lab/machine/machine.ts";
import { MAKE_POD } from "../lab/machine/make-pod.ts";
import { formatManifest, serviceObjects } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";

const FETCH_AND_BOOT_TIMEOUT = 300_000;
const DIST = `${import.meta.dir}/../../dist`;
const HUB_PORT = 8080;
const HTTP_PORT = 8081;
const DNS_ADDRESS = "169.254.25.10";
const BACKENDS = { one: "10.244.1.21", two: "10.244.1.22" };
const NAME = "shop.default.svc.cluster.local";
const CLUSTER_IP = "10.96.0.10";
const STATE = "/var/lib/selvedge";

const AGENT_ARGUMENTS =
  `run --node-name edge1 --source hub --meta-server http://127.0.0.1:${HUB_PORT} --state-dir ${STATE} ` +
  `--dns-bind-ip ${DNS_ADDRESS} --dns-cluster-domain cluster.local --dummy-interface-name selvedge0`;

/** The cache of an agent that has been in touch with a cloud, as the files of its state directory. */
async function cacheOfConnectedAgent(): Promise<Record<string, Uint8Array>> {
  await using lab = await Lab.create();
  const host = await lab.host("edge1");
  const service = serviceObjects({
    name: "shop",
    namespace: "default",
    clusterIp: CLUSTER_IP,
    targetPort: HTTP_PORT,
    endpoints: Object.values(BACKENDS),
  });
  await host.writeFile("/run/manifests/shop.yaml", formatManifest(service));
  const listen = `127.0.0.1:${HUB_PORT}`;
  await host.spawn([`${DIST}/selvedge-cloud-linux-x64`, "hub", "--manifests", "/run/manifests", "--listen", listen]);
  const agent = await host.spawn([`${DIST}/selvedge-linux-x64`, ...AGENT_ARGUMENTS.split(" ")]);
  await waitFor(`${NAME} answered by the connected agent`, async () => {
    const { stdout } = await host.run(["dig", "+short", "+tries=1", "+time=1", `@${DNS_ADDRESS}`, NAME]);
    return stdout.trim() === CLUSTER_IP;
  }).catch((error) => {
    throw new Error(`${error.message}\n${agent.log}`);
  });
  await agent.stop();
  const files: Record<string, Uint8Array> = {};
  for (const path of (await host.output(["find", STATE, "-type", "f"])).trim().split("\n")) {
    files[path] = Buffer.from(await host.output(["base64", path]), "base64");
  }
  return files;
}

describe("the arm64 agent on an emulated Cortex-A53, from its cache and with no cloud", () => {
  let machine: Machine;

  const inClient = (command: string) => machine.run(`nsenter -t $(cat /run/pods/client) -n ${command}`);
  const status = async () => (await machine.run("selvedge status")).output;
  const log = () => machine.output("cat /tmp/agent.log");

  beforeAll(async () => {
    const files = {
      ...(await cacheOfConnectedAgent()),
      "/usr/bin/selvedge": Bun.file(`${DIST}/selvedge-linux-arm64`),
      "/usr/bin/make-pod": MAKE_POD,
      ...Object.fromEntries(Object.keys(BACKENDS).map((name) => [`/srv/${name}/name`, `${name}\n`])),
      "/etc/resolv.conf": "",
    };
    machine = await Machine.boot({ architecture: "arm64", files });
    for (const [name, address] of Object.entries(BACKENDS)) {
      await machine.output(`make-pod ${name} ${address} httpd -f -p ${HTTP_PORT} -h /srv/${name}`);
    }
    await machine.output("make-pod client 10.244.1.10 sleep 1000000");
    await machine.output(`selvedge ${AGENT_ARGUMENTS} >/tmp/agent.log 2>&1 &`);
    await waitFor(
      "the agent's first answer",
      async () => (await inClient(`nslookup ${NAME} ${DNS_ADDRESS}`)).code === 0,
      {
        timeout: seconds(30),
      },
    ).catch(async (error) => {
      throw new Error(`${error.message}\n${await log()}`);
    });
  }, FETCH_AND_BOOT_TIMEOUT);
  afterAll(() => machine?.close());

  test("answers a pod's query for a service name", async () => {
    const { output } = await inClient(`nslookup ${NAME} ${DNS_ADDRESS}`);
    expect(output).toMatch(new RegExp(`Name:\\s*${NAME}\\s+Address: ${CLUSTER_IP}$`, "m"));
  });

  test("answers a query for a name that is not there with NXDOMAIN", async () => {
    const { output, code } = await inClient(`nslookup nothing.default.svc.cluster.local ${DNS_ADDRESS}`);
    expect(code).not.toBe(0);
    expect(output).toContain("NXDOMAIN");
  });

  test("resolves the name on its own command line", async () => {
    expect(await machine.output(`selvedge dns resolve ${NAME}`)).toContain(CLUSTER_IP);
  });

  test("spreads a pod's requests over both backends", async () => {
    const request = `timeout 5 wget -q -O - http://${CLUSTER_IP}/name`;
    const { output, code } = await inClient(`sh -ec 'for i in $(seq 24); do ${request}; done'`);
    expect(code).toBe(0);
    const backends = output.trim().split("\n");
    expect(backends).toHaveLength(24);
    expect([...new Set(backends)].sort()).toEqual(["one", "two"]);
  });

  test("does so in the kernel, not by relaying", async () => {
    expect(await machine.output("cut -d' ' -f1 /proc/modules")).toContain("nf_tables\n");
    const { output } = await machine.run("selvedge status -o json");
    expect(JSON.parse(output)).toMatchObject({
      ready: true,
      service: { mode: "nftables" },
      source: { connected: false },
    });
  });

  test("says when the kernel's table of neighbours overflows, and goes on", async () => {
    const thresholds = [1, 2, 3].map((n) => `/proc/sys/net/ipv4/neigh/default/gc_thresh${n}`);
    await machine.output(`for file in ${thresholds.join(" ")}; do echo 4 >$file; done`);
    await machine.output("for i in $(seq 100 140); do ping -c 1 -W 1 10.244.1.$i & done >/dev/null 2>&1; wait");
    // It looks once a minute, and whenever a link changes.
    await machine.output("ip address add 198.51.100.77/32 dev lo; ip address delete 198.51.100.77/32 dev lo");
    await waitFor("the condition", async () => (await status()).includes("NEIGHBOURS_FULL"), { timeout: seconds(30) });
    await machine.output(`for file in ${thresholds.join(" ")}; do echo 1024 >$file; done`);
    expect((await inClient(`nslookup ${NAME} ${DNS_ADDRESS}`)).code).toBe(0);
    expect(await inClient(`timeout 5 wget -q -O - http://${CLUSTER_IP}/name`)).toMatchObject({ code: 0 });
  });

  test("goes on in the kernel when the agent is killed", async () => {
    await machine.output("killall -9 selvedge");
    expect(await inClient(`timeout 5 wget -q -O - http://${CLUSTER_IP}/name`)).toMatchObject({ code: 0 });
  });

  test("carries services in user space where the kernel lacks one part of what the ruleset needs, and says which", async () => {
    await machine.output("selvedge cleanup");
    await machine.output("rmmod nft_numgen; mv $(find /lib/modules -name nft_numgen.ko) /run/");
    await machine.output(`selvedge ${AGENT_ARGUMENTS} >/tmp/agent.log 2>&1 &`);
    await waitFor("user space", async () => (await status()).includes("PROXY_MODE_USERSPACE"), {
      timeout: seconds(30),
    });
    await waitFor(
      "the service",
      async () => (await inClient(`timeout 5 wget -q -O - http://${CLUSTER_IP}/name`)).code === 0,
      { timeout: seconds(30) },
    );
    expect((await inClient(`nslookup ${NAME} ${DNS_ADDRESS}`)).code).toBe(0);
    expect((await machine.run("selvedge status -o json")).output).toContain('"mode": "userspace"');
  });
});
