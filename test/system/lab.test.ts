import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import type { Link } from "../lab/link.ts";
import type { Namespace } from "../lab/namespace.ts";
import { waitFor } from "../lab/wait-for.ts";

setDefaultTimeout(60_000);

interface LinkState {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly linkinfo?: { readonly info_kind?: string };
}

async function linksOf(namespace: Namespace): Promise<readonly LinkState[]> {
  return JSON.parse(await namespace.output(["ip", "-details", "-json", "link"]));
}

function machineLinks(): readonly string[] {
  return readdirSync("/sys/class/net").sort();
}

/** Processes of this machine that are in a namespace such as `pid:[4026532201]`. */
function processesIn(namespace: string): readonly string[] {
  const kind = namespace.replace(/:.*/, "");
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/ns/${kind}`) === namespace;
    } catch {
      return false;
    }
  });
}

/** Three, of which one is enough: a busy machine may be late for the first. */
const ping = (host: Namespace, address: string) => host.run(["ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", address]);

describe("a lab with a router, two hosts and a pod", () => {
  const linksBefore = machineLinks();
  let lab: Lab;
  let router: Host;
  let host: Host;
  let pod: Host;
  let hostLink: Link;

  beforeAll(async () => {
    lab = await Lab.create();
    const [lan, wan] = [await lab.switch("lan"), await lab.switch("wan")];
    router = await lab.host("router");
    host = await lab.host("edge1");
    const far = await lab.host("far");
    await router.connect(lan, { address: ["192.168.1.1/24", "fd00:1::1/64"] });
    await router.connect(wan, { address: ["198.51.100.1/24", "fd00:2::1/64"] });
    hostLink = await host.connect(lan, {
      address: ["192.168.1.11/24", "fd00:1::11/64"],
      gateway: ["192.168.1.1", "fd00:1::1"],
    });
    await far.connect(wan, { address: ["198.51.100.2/24", "fd00:2::2/64"], gateway: ["198.51.100.1", "fd00:2::1"] });
    pod = await host.pod("web", { address: "10.244.1.5/24", bridge: { name: "cni0", address: "10.244.1.1/24" } });
    await router.ip("route add 10.244.1.0/24 via 192.168.1.11");
  });
  afterAll(() => lab.close());

  test.each(["198.51.100.2", "fd00:2::2"])("a host reaches %s through the router", async (address) => {
    expect(await ping(host, address)).toMatchObject({ code: 0 });
  });

  test("a pod reaches a host behind the router of its host", async () => {
    expect(await ping(pod, "198.51.100.2")).toMatchObject({ code: 0 });
  });

  test("no link of the lab leads out of it, and this machine gets none", async () => {
    for (const namespace of [lab.namespace, router, host, pod]) {
      const kinds = (await linksOf(namespace)).map(({ ifname, linkinfo }) => linkinfo?.info_kind ?? ifname);
      expect(kinds.filter((kind) => !["lo", "veth", "bridge"].includes(kind))).toEqual([]);
    }
    expect(machineLinks()).toEqual(linksBefore);
  });

  test("a host with a default route reaches no address of this machine", async () => {
    using server = Bun.serve({ port: 0, hostname: "0.0.0.0", fetch: () => new Response("this machine") });
    const curl = (address: string) => ["curl", "-sS", "--max-time", "1", `http://${address}:${server.port}/`];
    const here = Bun.spawn(curl("127.0.0.1"));
    expect(await here.stdout.text()).toBe("this machine");

    const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    for (const { address } of addresses.filter(({ family }) => family === "IPv4")) {
      expect(await host.run(curl(address))).toMatchObject({ stdout: "", code: expect.any(Number) });
    }
  });

  test("a file of a host is seen by that host only", async () => {
    const machine = readFileSync("/etc/resolv.conf", "utf8");
    await host.writeFile("/etc/resolv.conf", "nameserver 169.254.25.10\n");
    expect(await host.readFile("/etc/resolv.conf")).toBe("nameserver 169.254.25.10\n");
    expect(await pod.readFile("/etc/resolv.conf")).toBe("");
    expect(readFileSync("/etc/resolv.conf", "utf8")).toBe(machine);
  });

  test("a file outside of a host's own directories is refused", async () => {
    await expect(host.writeFile("/etc/../srv/nothing", "")).rejects.toThrow("current value is /etc/../srv/nothing");
  });

  test("a link of a host is not followed to a file of this machine", async () => {
    const folder = mkdtempSync(join(tmpdir(), "selvedge-lab-"));
    await host.output(["ln", "-s", folder, "/etc/elsewhere"]);
    await expect(host.writeFile("/etc/elsewhere/file", "")).rejects.toThrow("as /etc/elsewhere is a link");
    expect(readdirSync(folder)).toEqual([]);
    rmdirSync(folder);
  });

  test("an unplugged cable has no carrier and carries again when plugged in", async () => {
    const carrier = async () => (await host.readFile("/sys/class/net/eth0/carrier")).trim();
    await hostLink.unplug();
    expect(await carrier()).toBe("0");
    expect((await ping(host, "192.168.1.1")).code).not.toBe(0);
    await hostLink.plug();
    await waitFor("the carrier", async () => (await carrier()) === "1");
    await waitFor("an answer", async () => (await ping(host, "192.168.1.1")).code === 0);
  });

  test("a silenced cable keeps its carrier and carries nothing until it is restored", async () => {
    await hostLink.silence();
    expect(await host.readFile("/sys/class/net/eth0/carrier")).toBe("1\n");
    expect((await ping(host, "192.168.1.1")).code).not.toBe(0);
    await hostLink.restore();
    await waitFor("an answer", async () => (await ping(host, "192.168.1.1")).code === 0);
  });
});

describe("a program in a lab", () => {
  let lab: Lab;
  let host: Host;

  beforeAll(async () => {
    lab = await Lab.create();
    host = await lab.host("host");
  });
  afterAll(() => lab.close());

  test("is ready when it has printed what it should", async () => {
    const process = await host.spawn(["sh", "-c", "echo listening; exec sleep 60"], { ready: /listening/ });
    expect(process.running).toBeTrue();
    await process.stop();
  });

  test("that ends before it is ready is an error with what it printed", async () => {
    const spawned = host.spawn(["sh", "-c", "echo no such device >&2; exit 3"], { ready: /listening/ });
    await expect(spawned).rejects.toThrow(/exit 3\nno such device/);
  });

  test("that is never ready is an error, and is gone", async () => {
    const options = { ready: () => false, timeout: seconds(0.1) };
    await expect(host.spawn(["sleep", "61.5"], options)).rejects.toThrow("Cannot see sleep 61.5 ready within 100ms");
    const programs = () => host.output(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]);
    expect(await programs()).toContain("sleep infinity");
    expect(await programs()).not.toContain("sleep 61.5");
  });

  test("gets signals itself, and its exit code comes back", async () => {
    const script = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done";
    const process = await host.spawn(["sh", "-c", script], { ready: /up/ });
    expect(await process.stop()).toBe(7);
    expect(process.log).toBe("up\nbye\n");
  });

  test("that takes too long is killed", async () => {
    await expect(host.run(["sleep", "60"], { timeout: seconds(0.1) })).rejects.toThrow("takes more than 100ms");
  });

  test("sees no setting of this machine's environment", async () => {
    process.env["SELVEDGE_NODE_NAME"] = "machine";
    expect(await host.output(["env"], { env: { ONLY: "this" } })).not.toContain("SELVEDGE");
    delete process.env["SELVEDGE_NODE_NAME"];
  });
});

test("a maker killed with SIGKILL leaves no process and no link", async () => {
  const linksBefore = machineLinks();
  const maker = Bun.spawn([process.execPath, `${import.meta.dir}/../lab/abandoned-lab.ts`], { stdout: "pipe" });
  const { value } = await maker.stdout.getReader().read();
  const namespaces = new TextDecoder().decode(value).trim().split("\n");
  expect(namespaces).toHaveLength(2);
  for (const namespace of namespaces) expect(processesIn(namespace).length).toBeGreaterThan(1);

  maker.kill("SIGKILL");
  for (const namespace of namespaces) {
    await waitFor(`the end of all processes in ${namespace}`, () => processesIn(namespace).length === 0);
  }
  expect(machineLinks()).toEqual(linksBefore);
});
