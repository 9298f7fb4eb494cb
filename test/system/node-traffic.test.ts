import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import { waitFor } from "../lab/wait-for.ts";
import { addBackend, backendsOf, curl, dig, EdgeWorld, objectsOf, PODS } from "../support/edge-world.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const SELF = { name: "self", clusterIp: "10.96.0.80", endpoints: ["10.244.1.30"] };
const EMPTY = { name: "empty", clusterIp: "10.96.0.60", endpoints: [] };
const EXTERNAL = { name: "external", clusterIp: "10.96.0.90", endpoints: [PODS["web-1"]] };
const EXTERNAL_IP = "203.0.113.7";
const NODE_PORT = 30_080;
/** Of br_netfilter, where that is loaded: a setting of each network namespace. */
const BRIDGE_FILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables";

let world: EdgeWorld;
let self: Host;

beforeAll(async () => {
  world = await EdgeWorld.create();
  const [service, slice] = objectsOf(EXTERNAL);
  if (service === undefined || slice === undefined) throw new Error("Cannot describe a service");
  const ports = [{ name: "http", protocol: "TCP", port: 80, targetPort: 8080, nodePort: NODE_PORT }];
  const { clusterIp } = EXTERNAL;
  const spec = { type: "NodePort", clusterIP: clusterIp, clusterIPs: [clusterIp], externalIPs: [EXTERNAL_IP], ports };
  await world.declareObjects("external", [{ ...service, spec }, slice]);
  await world.declare(WEB, SELF, EMPTY);
  await world.edge.output(["sh", "-c", `[ ! -e ${BRIDGE_FILTER} ] || echo 0 >${BRIDGE_FILTER}`]);
  self = await addBackend(world.edge, "self", "10.244.1.30");
  await world.startAgent();
  await waitFor("the services", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2);
  await waitFor("the last service", async () => (await dig(world.client, "self")) === SELF.clusterIp);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

describe("a program on the node itself, which has no default route", () => {
  test("reaches a service whose endpoints are pods here", async () => {
    expect(await world.edge.output(["ip", "route", "show", "default"])).toBe("");
    expect(await backendsOf(world.edge, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
  });

  test("gets there by a route that only service addresses have", async () => {
    expect(await world.edge.output(["ip", "route", "get", WEB.clusterIp])).toContain(
      "dev fabedge-dummy0 table default",
    );
    const elsewhere = await world.edge.run(["ip", "route", "get", "198.51.100.99"]);
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining("Network is unreachable") });
  });

  test("resolves names at the node's own resolver", async () => {
    expect(await dig(world.edge, "web")).toBe(WEB.clusterIp);
  });

  test("is refused at once by a service without endpoints, and by a service's other ports", async () => {
    expect(await curl(world.edge, `http://${EMPTY.clusterIp}/`)).toBe("curl exits 7");
    expect(await curl(world.edge, `http://${WEB.clusterIp}:81/`)).toBe("curl exits 7");
    expect(await curl(world.client, `http://${EMPTY.clusterIp}/`)).toBe("curl exits 7");
  });
});

describe("on one bridge that br_netfilter does not look into", () => {
  test("a pod reaches itself through its service, though its port is no hairpin port", async () => {
    expect((await world.edge.run(["cat", BRIDGE_FILTER])).stdout.trim()).not.toBe("1");
    expect(await world.edge.output(["bridge", "-d", "link"])).not.toContain("hairpin on");
    expect(await backendsOf(self, SELF.clusterIp)).toEqual(["self"]);
  });

  test("a pod reaches its neighbours through services, with answers that come back through the node", async () => {
    expect(await curl(world.client, `http://${SELF.clusterIp}/`)).toBe("self 10.244.1.1");
    expect(await curl(self, `http://${WEB.clusterIp}/`)).toMatch(/^web-[12] 10\.244\.1\.1$/);
  });
});

describe("another machine", () => {
  test("reaches node port and external address, and no cluster address's neighbour", async () => {
    expect(await curl(world.cloud, `http://192.0.2.11:${NODE_PORT}/`)).toStartWith("web-1");
    await world.cloud.ip(`route add ${EXTERNAL_IP}/32 via 192.0.2.11`);
    expect(await curl(world.cloud, `http://${EXTERNAL_IP}/`)).toStartWith("web-1");
    expect(await curl(world.cloud, "http://192.0.2.11:30081/")).toBe("curl exits 7");
  });

  test("gets no answer from the node's resolver", async () => {
    await world.cloud.ip("route add 169.254.25.10/32 via 192.0.2.11");
    expect(await dig(world.cloud, "web")).toMatch(/^(REFUSED|no answer)$/);
  });
});
