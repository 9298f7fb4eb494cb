import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { Machine } from "../lab/machine/machine.ts";
import { MAKE_POD } from "../lab/machine/make-pod.ts";
import { waitFor } from "../lab/wait-for.ts";
import {
  AGENT_ARGUMENTS,
  BACKEND_PORT,
  BACKENDS,
  CLUSTER_IP,
  cacheOfConnectedAgent,
  DNS_ADDRESS,
  NAME,
} from "../support/connected-cache.ts";

const FETCH_AND_BOOT_TIMEOUT = 300_000;
const DIST = `${import.meta.dir}/../../dist`;

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
      await machine.output(`make-pod ${name} ${address} httpd -f -p ${BACKEND_PORT} -h /srv/${name}`);
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
