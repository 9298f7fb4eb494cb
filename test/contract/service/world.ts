import { openNftables } from "../../../edge/service/open-nftables.ts";
import { ServiceMetrics } from "../../../edge/service/service-metrics.ts";
import { ServiceProxy } from "../../../edge/service/service-proxy.ts";
import { Health } from "../../../src/base/health.ts";
import type { Prefix } from "../../../src/base/ip.ts";
import type { LogRecord } from "../../../src/base/log.ts";
import { Log } from "../../../src/base/log.ts";
import { Metrics } from "../../../src/base/metrics.ts";
import { Scope } from "../../../src/base/scope.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import type { Endpoint } from "../../../src/network/endpoint.ts";
import type { ObjectChange } from "../../../src/network/object-change.ts";
import type { Service } from "../../../src/network/service.ts";
import { ServiceIndex } from "../../../src/network/service-index.ts";
import { run } from "../../support/in-namespace.ts";
import { ip, makeEndpoint, makeService } from "../../support/network-objects.ts";

const WHO = `${import.meta.dir}/who.ts`;

/** Where everything is. The test process is the node; the others are network namespaces beside it. */
export const NODE = { lan4: "192.168.50.1", lan6: "fd50::1" };
export const PODS = {
  pod1: { four: "10.244.1.11", six: "fd44:1::11" },
  pod2: { four: "10.244.1.12", six: "fd44:1::12" },
} as const;
/** Another node's pod, behind another link. */
export const REMOTE = { four: "10.244.2.11", six: "fd44:2::11" };
export const CLIENT = { four: "192.168.50.2", six: "fd50::2" };
/** Of the service link. */
export const DNS = { four: "169.254.25.10", six: "fd25::10" };
const SERVICE_LINK = "selvedge0";
export const SERVER_PORT = 8080;

/**
 * A node with a LAN, where `client` is, two pods on one bridge, and a way to another node, where `remote` is. Pods and
 * remote answer on SERVER_PORT with their names. There is no default route.
 */
export async function buildWorld(): Promise<void> {
  run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.default.accept_dad=0");
  run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0");
  attach("client", "lan", NODE.lan4, `${CLIENT.four}/24`, NODE.lan6, `${CLIENT.six}/64`);
  run("ip", "link", "add", "cni0", "type", "bridge");
  run("ip", "link", "set", "cni0", "up");
  run("ip", "address", "add", "10.244.1.1/24", "dev", "cni0");
  run("ip", "address", "add", "fd44:1::1/64", "dev", "cni0", "nodad");
  for (const [name, { four, six }] of Object.entries(PODS)) {
    attach(name, name, "10.244.1.1", `${four}/24`, "fd44:1::1", `${six}/64`, "cni0");
  }
  attach("remote", "wan", "10.244.2.1", `${REMOTE.four}/24`, "fd44:2::1", `${REMOTE.six}/64`);
  // The service link: a bridge without ports, as this kernel has no dummy links.
  run("ip", "link", "add", SERVICE_LINK, "type", "bridge");
  run("ip", "link", "set", SERVICE_LINK, "up");
  run("ip", "address", "add", `${DNS.four}/32`, "dev", SERVICE_LINK);
  run("ip", "address", "add", `${DNS.six}/128`, "dev", SERVICE_LINK, "nodad");
  await Promise.all(["pod1", "pod2", "remote"].map(serve));
}

function attach(
  name: string,
  link: string,
  gateway4: string,
  own4: string,
  gateway6: string,
  own6: string,
  bridge = "",
): void {
  const inside = ["ip", "-n", name];
  run("ip", "netns", "add", name);
  run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name);
  run("ip", "link", "set", link, "up");
  if (bridge !== "") run("ip", "link", "set", link, "master", bridge);
  else {
    run("ip", "address", "add", `${gateway4}/24`, "dev", link);
    run("ip", "address", "add", `${gateway6}/64`, "dev", link, "nodad");
  }
  run(...inside, "link", "set", "lo", "up");
  run(...inside, "link", "set", "eth0", "up");
  run(...inside, "address", "add", own4, "dev", "eth0");
  run(...inside, "address", "add", own6, "dev", "eth0", "nodad");
  run(...inside, "route", "add", "default", "via", gateway4);
  run(...inside, "-6", "route", "add", "default", "via", gateway6);
}

/** @param name a namespace, or "node" @returns what ends it */
export async function serve(name: string): Promise<AsyncDisposable> {
  const program = [process.execPath, WHO, "serve", name, String(SERVER_PORT)];
  const server = Bun.spawn(name === "node" ? program : ["ip", "netns", "exec", name, ...program], {
    stdout: "pipe",
    stderr: "inherit",
  });
  server.unref();
  const { value } = await server.stdout.getReader().read();
  if (value === undefined) throw new Error(`Cannot start the server of ${name}: it ended`);
  const end = async () => {
    server.kill();
    await server.exited;
  };
  return { [Symbol.asyncDispose]: end };
}

export interface Question {
  /** A namespace, or "node". */
  readonly from: string;
  readonly protocol?: "tcp" | "udp";
  readonly to: string;
  readonly port: number;
  readonly times?: number;
  readonly sourcePort?: number;
}

/** @returns for each connection "name address-that-the-server-saw", or the code of an error */
export async function ask(question: Question): Promise<readonly string[]> {
  const { from, protocol = "tcp", to, port, times = 1, sourcePort = 0 } = question;
  const program = [process.execPath, WHO, "ask", protocol, to, `${port}`, `${times}`, `${sourcePort}`];
  const asked = Bun.spawn(from === "node" ? program : ["ip", "netns", "exec", from, ...program], { stdout: "pipe" });
  const text = await asked.stdout.text();
  return text.trim().split("\n");
}

/** How often each server answered. */
export function tally(answers: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const name = answer.split(" ")[0] ?? "";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

export interface ProxyOptions {
  readonly clusterCidrs?: readonly Prefix[];
  readonly dnsPort?: number;
}

/** The service proxy as the agent wires it, on the real kernel. */
export class World {
  readonly scope = new Scope();
  readonly index = new ServiceIndex();
  readonly logged: LogRecord[] = [];
  readonly health = new Health(Date.now, () => {});
  readonly metrics = new Metrics("selvedge");
  readonly proxy: ServiceProxy;

  constructor({ clusterCidrs = [], dnsPort = 53 }: ProxyOptions = {}) {
    const clock = new SystemClock();
    const log = new Log((record) => this.logged.push(record), "debug");
    const metrics = new ServiceMetrics(this.metrics);
    const link = () => ({ name: SERVICE_LINK, addresses: [ip(DNS.four), ip(DNS.six)] });
    this.proxy = new ServiceProxy({
      mode: "nftables",
      node: { name: "node1", zone: undefined, addresses: [ip(NODE.lan4), ip(NODE.lan6)] },
      open: {
        nftables: (resync) =>
          openNftables(
            { link, clusterCidrs, dnsPort, metrics, log, health: this.health, now: () => performance.now() },
            resync,
          ),
        userspace: () => Promise.reject(new Error("not in this test")),
      },
      clock,
      random: Math.random,
      log,
      health: this.health,
      metrics,
      scope: this.scope,
    });
  }

  /** @returns when the kernel has it */
  async apply(...changes: readonly ObjectChange[]): Promise<void> {
    await this.proxy.update(this.index, this.index.apply(changes));
    const { failure } = this.proxy.status();
    if (failure !== undefined) throw new Error(failure);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scope.close();
  }
}

export function service(name: string, over: Partial<Service>): ObjectChange {
  return { kind: "Service", key: `ns/${name}`, value: makeService(`ns/${name}`, over) };
}

export function gone(name: string): ObjectChange {
  return { kind: "Service", key: `ns/${name}`, value: undefined };
}

/** Endpoints of one family for port "http" of the service, on SERVER_PORT. */
export function endpoints(
  name: string,
  family: 4 | 6,
  list: readonly (string | (Partial<Endpoint> & { readonly at: string }))[],
  protocol: "TCP" | "UDP" | "SCTP" = "TCP",
): ObjectChange {
  return {
    kind: "EndpointSlice",
    key: `ns/${name}-${family}-${protocol}`,
    value: {
      namespace: "ns",
      name: `${name}-${family}-${protocol}`,
      service: name,
      family,
      ports: [{ name: "http", protocol, port: SERVER_PORT }],
      endpoints: list.map((e) => {
        if (typeof e === "string") return makeEndpoint(e, { nodeName: nodeOf(e) });
        const { at, ...over } = e;
        return makeEndpoint(at, { nodeName: nodeOf(at), ...over });
      }),
    },
  };
}

function nodeOf(address: string): string {
  return address === REMOTE.four || address === REMOTE.six ? "node2" : "node1";
}

/** What `nft` says: the oracle. */
export function listRuleset(): string {
  return run("nft", "list", "ruleset");
}
