import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Subprocess } from "bun";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { NETWORK, PodWorld } from "../../support/pod-world.ts";

/** Answers with its caller's address: over TCP on both families, over UDP on port 53. */
const SERVER = `
const who = (req, server) => new Response(server.requestIP(req).address.replace("::ffff:", ""));
Bun.serve({ hostname: "::", port: 80, fetch: who });
await Bun.udpSocket({ port: 53, socket: { data: (s, _, port, address) => void s.send(process.argv[1], port, address) } });
console.log("ready");`;

const TABLE = `selvedge-ports-${NETWORK}`;
const MAPPINGS = [
  { hostPort: 8080, containerPort: 80, protocol: "tcp" },
  { hostPort: 8053, containerPort: 53, protocol: "udp" },
  { hostPort: 9090, containerPort: 80, protocol: "tcp", hostIP: "10.1.7.1" },
];

inNamespace(import.meta.path, () => {
  let world: PodWorld;
  const servers: Subprocess[] = [];
  beforeEach(() => {
    world = new PodWorld();
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.kill();
      await server.exited;
    }
    world[Symbol.dispose]();
    for (const family of ["ip", "ip6"]) Bun.spawnSync(["nft", "delete", "table", family, TABLE]);
  });

  async function serve(pod: string): Promise<void> {
    const command = ["ip", "netns", "exec", pod, process.execPath, "-e", SERVER, pod];
    const server = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
    servers.push(server);
    const { value } = await server.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("ready\n");
  }

  async function add(pod: string, portMappings: readonly unknown[] = []) {
    world.pod(pod);
    return await world.do("ours", { command: "ADD", pod, runtimeConfig: { portMappings } });
  }
  const remove = (pod: string) => world.do("ours", { command: "DEL", pod });

  /** @returns what the server said, or curl's exit status: 7 is refused, 28 is silence */
  async function curl(url: string, from?: string): Promise<string> {
    const words = ["curl", "--silent", "--max-time", "2", url];
    const command = from === undefined ? words : ["ip", "netns", "exec", from, ...words];
    const asking = Bun.spawn(command, { stdout: "pipe" });
    const [text, code] = await Promise.all([asking.stdout.text(), asking.exited]);
    return code === 0 ? text : `exit ${code}`;
  }

  test("a host port leads to the pod from this node, other pods and the pod itself, on each address and family", async () => {
    await add("web", MAPPINGS);
    await add("client");
    await serve("web");
    for (const host of ["127.0.0.1", "10.1.7.1"]) expect(await curl(`http://${host}:8080/`)).toBe("10.1.7.1");
    expect(await curl("http://[fd00:7::1]:8080/")).toBe("fd00:7::1");
    for (const pod of ["client", "web"]) {
      // By this node's address: the answer has to come back through it.
      expect(await curl("http://10.1.7.1:8080/", pod)).toBe("10.1.7.1");
      expect(await curl("http://[fd00:7::1]:8080/", pod)).toBe("fd00:7::1");
    }
  });

  test("a host port on one address is none on another", async () => {
    await add("web", MAPPINGS);
    await serve("web");
    expect(await curl("http://10.1.7.1:9090/")).toBe("10.1.7.1");
    expect(await curl("http://127.0.0.1:9090/")).toBe("exit 7");
  });

  test("a pod does not reach what listens on this node's loopback alone", async () => {
    await add("web", MAPPINGS);
    await add("client");
    using own = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("own") });
    expect(await curl(`http://127.0.0.1:${own.port}/`)).toBe("own");
    run("ip", "-netns", "client", "route", "add", "127.0.0.2/32", "via", "10.1.7.1");
    run("ip", "netns", "exec", "client", "sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
    using other = Bun.serve({ hostname: "127.0.0.2", port: 0, fetch: () => new Response("own") });
    expect(await curl(`http://127.0.0.2:${other.port}/`, "client")).toBe("exit 28");
    // The guard it is that keeps it away.
    run("nft", "flush", "chain", "ip", TABLE, "guard-loopback");
    expect(await curl(`http://127.0.0.2:${other.port}/`, "client")).toBe("own");
  });

  test("a UDP client that spoke before goes to the new pod, and to no pod that is gone", async () => {
    await add("one", MAPPINGS);
    await serve("one");
    const flows = () => run("conntrack", "-L", "-p", "udp", "--dport", "8053").trim();
    const ask = () => run("sh", "-c", "echo hello | socat -t 1 - UDP:10.1.7.1:8053,sourceport=4053");
    expect(ask()).toBe("one");
    expect(flows()).not.toBe("");
    await remove("one");
    expect(flows()).toBe("");
    // Meanwhile a packet to nobody makes an entry that leads nowhere; without a rule of the kind the kernel tracks none.
    run("nft", "add", "table", "ip", "foreign");
    run("nft", "add", "chain", "ip", "foreign", "track", "{ type filter hook output priority 0; }");
    run("nft", "add", "rule", "ip", "foreign", "track", "ct", "state", "new", "accept");
    Bun.spawnSync(["sh", "-c", "echo hello | socat -t 0.1 - UDP:10.1.7.1:8053,sourceport=4053"]);
    expect(flows()).not.toBe("");
    await add("two", MAPPINGS);
    await serve("two");
    expect(ask()).toBe("two");
    run("nft", "delete", "table", "ip", "foreign");
  });

  test("of two pods that claim a port the later one has it, and the other one after it", async () => {
    await add("one", MAPPINGS);
    await serve("one");
    await add("two", MAPPINGS);
    const target = () => /tcp \. 8080 : (\S+)/.exec(run("nft", "list", "map", "ip", TABLE, "ports"))?.[1];
    expect(target()).toBe("10.1.7.3");
    await remove("two");
    expect(target()).toBe("10.1.7.2");
    expect(await curl("http://10.1.7.1:8080/")).toBe("10.1.7.1");
  });

  test("the table goes with the last of them, comes back with the next change after a flush, and other tables stay", async () => {
    run("nft", "add", "table", "ip", "foreign");
    await add("one", MAPPINGS);
    await add("two", [{ hostPort: 7070, containerPort: 70, protocol: "sctp" }]);
    const ports = () => run("nft", "list", "map", "ip", TABLE, "ports");
    expect(ports()).toContain("sctp . 7070 : 10.1.7.3 . 70");
    run("nft", "delete", "table", "ip", TABLE);
    await add("three", [{ hostPort: 6060, containerPort: 60, protocol: "tcp" }]);
    expect(ports()).toContain("sctp . 7070 : 10.1.7.3 . 70");
    expect(ports()).toContain("tcp . 8080 : 10.1.7.2 . 80");
    for (const pod of ["one", "two", "three"]) await remove(pod);
    expect(run("nft", "list", "tables").trim()).toBe("table ip foreign");
    run("nft", "delete", "table", "ip", "foreign");
  });
});
