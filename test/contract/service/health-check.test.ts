import { expect, test } from "bun:test";
import type { Service } from "../../../src/network/service.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip } from "../../support/network-objects.ts";
import { endpoints, gone, REMOTE, service, World } from "./world.ts";

const PORT = 31_000;

function balanced(name: string, over: Partial<Service> = {}) {
  return service(name, {
    type: "LoadBalancer",
    externalTrafficPolicy: "Local",
    healthCheckNodePort: PORT,
    clusterIps: [ip(name === "web" ? "10.96.0.1" : "10.96.0.2")],
    ...over,
  });
}

/** @returns the status, and the weight and the body of the answer; curl's exit code when there is none */
async function curl(port: number, host = "127.0.0.1"): Promise<readonly [number, string?, unknown?]> {
  const format = "\n%{http_code} %header{x-load-balancing-endpoint-weight}";
  const asked = Bun.spawn(["curl", "-s", "--max-time", "10", "-w", format, `http://${host}:${port}/`]);
  const text = await asked.stdout.text();
  const code = await asked.exited;
  if (code !== 0) return [code];
  const [body = "", last = ""] = text.split(/\n(?=[^\n]*$)/);
  const [status, weight = ""] = last.split(" ");
  return [Number(status), weight, JSON.parse(body)];
}

const CURL_REFUSED = 7;

function answer(name: string, localEndpoints: number): readonly [number, string, unknown] {
  const body = { service: { namespace: "ns", name }, localEndpoints, serviceProxyHealthy: true };
  return [localEndpoints > 0 ? 200 : 503, String(localEndpoints), body];
}

/** The listening socket, by its inode. */
function socketOf(port: number): string {
  return /ino:\d+/.exec(run("ss", "-Hltne", `sport = :${port}`))?.[0] ?? "none";
}

inNamespace(import.meta.path, () => {
  test("says over IPv4 and IPv6 how many endpoints this node has, on a port that stays open meanwhile", async () => {
    await using world = new World();
    await world.apply(balanced("web"), endpoints("web", 4, [REMOTE.four]));
    expect(await curl(PORT)).toEqual(answer("web", 0));
    const socket = socketOf(PORT);
    expect(socket).toStartWith("ino:");
    await world.apply(endpoints("web", 4, ["10.244.1.11", "10.244.1.12", REMOTE.four]));
    expect(await curl(PORT)).toEqual(answer("web", 2));
    expect(await curl(PORT, "[::1]")).toEqual(answer("web", 2));
    expect(socketOf(PORT)).toBe(socket);
  });

  test("follows the service to another port, and closes with it", async () => {
    await using world = new World();
    await world.apply(balanced("web"), endpoints("web", 4, ["10.244.1.11"]));
    await world.apply(balanced("web", { healthCheckNodePort: PORT + 1 }));
    expect(await curl(PORT)).toEqual([CURL_REFUSED]);
    expect(await curl(PORT + 1)).toEqual(answer("web", 1));
    await world.apply(gone("web"));
    expect(await curl(PORT + 1)).toEqual([CURL_REFUSED]);
  });

  test("says which port another program has, serves the others, and opens it when that is gone", async () => {
    const other = Bun.serve({ hostname: "0.0.0.0", port: PORT, fetch: () => new Response("another program") });
    await using world = new World();
    await world.apply(balanced("web"), balanced("api", { healthCheckNodePort: PORT + 1 }));
    const condition = () => world.health.list().find((c) => c.code === "SERVICE_HEALTH_CHECK_CLOSED");
    expect(condition()?.message).toContain(`ns/web on port ${PORT}`);
    expect(await curl(PORT + 1)).toEqual(answer("api", 0));
    await other.stop(true);
    await world.proxy.resync();
    expect(condition()).toBeUndefined();
    expect(await curl(PORT)).toEqual(answer("web", 0));
  });

  test("gives a port that two services have to one of them, and to the other when that goes", async () => {
    await using world = new World();
    await world.apply(balanced("web"), balanced("api"));
    expect(await curl(PORT)).toEqual(answer("web", 0));
    expect(world.health.list().map((c) => c.message)).toContainEqual(expect.stringContaining("it is ns/web's"));
    await world.apply(gone("web"));
    expect(await curl(PORT)).toEqual(answer("api", 0));
  });
});
