import { describe, expect, test } from "bun:test";
import { formatResolution, formatService, formatServices, formatStatus } from "../../../../edge/cli/render.ts";
import type { Ip } from "../../../../src/base/ip.ts";
import { coloured, plain } from "../../../../src/cli/table.ts";
import { DATABASE, FAILED, statusReport, WEB } from "../../../support/agent-handlers.ts";

describe("status", () => {
  test("is one screen with the trouble and the way out at its end", () => {
    expect(formatStatus(statusReport([FAILED]), plain)).toBe(`\
Node      edge-1   selvedge 0.1.0, pid 42, up 1h2m
Ready     no
Source    metaserver http://127.0.0.1:10550, not connected, last heard 1h1m ago: working from the cache
Cache     5 objects, 40 KiB, /var/lib/selvedge/cache.db
Services  2 services, 3 endpoints, by nftables (the kernel has nftables)
Names     169.254.25.10:53, 4 names in cluster.local, 17 cached, upstreams 192.0.2.53:53 (down)
Fabric    paris.edge-1, 2 of 3 tunnels up, charon 5.9.8, certificate until 2027-02-19

FAILED    dns       DNS_BIND_FAILED
          Cannot answer DNS queries on 169.254.25.10:53: another program listens there
          Stop the other program.
`);
  });

  test("without trouble ends after its facts", () => {
    expect(formatStatus(statusReport(), plain)).toEndWith("certificate until 2027-02-19\n");
    expect(formatStatus(statusReport(), coloured)).toContain("\x1b[32myes\x1b[0m");
  });

  test("counts services of several clusters where there are any", () => {
    const report = statusReport();
    const text = formatStatus({ ...report, dns: { ...report.dns, globalNames: 3 } }, plain);
    expect(text).toContain(", 4 names in cluster.local, 3 in svc.global, 17 cached, ");
  });

  test("says what is off, starting or was never heard", () => {
    const report = statusReport();
    const text = formatStatus(
      {
        ...report,
        ready: false,
        components: [{ name: "dns", state: "starting" }],
        source: { ...report.source, lastHeard: null, stalenessSeconds: null },
        service: { ...report.service, enabled: false },
        dns: { ...report.dns, enabled: false },
      },
      plain,
    );
    expect(text).toContain("Ready     no   still starting: dns\n");
    expect(text).toContain("not connected, never heard\n");
    expect(text).toContain("Services  off (--enable-proxy=false)\n");
    expect(text).toContain("Names     off (--enable-dns=false)\n");
  });

  test("an outside text cannot steer the terminal", () => {
    const hostile = { ...FAILED, message: "\x1b[2J", hint: "\x07" };
    const text = formatStatus(statusReport([hostile]), plain);
    expect(text).not.toContain("\x1b");
    expect(text).not.toContain("\x07");
  });
});

describe("services", () => {
  test("are a table as kubectl's", () => {
    expect(formatServices([WEB, DATABASE])).toBe(`\
NAMESPACE   NAME       TYPE        CLUSTER-IP   EXTERNAL-IP   PORTS          ENDPOINTS
default     web        NodePort    10.96.0.10   <none>        80:30080/TCP   1/2
shop        database   ClusterIP   None         <none>        <none>         -
`);
  });

  test("one service shows where each port's connections go", () => {
    const [http] = WEB.ports;
    if (http === undefined) throw new Error("no port");
    const remote = { address: "2001:db8::5" as Ip, port: 8080, local: false };
    const service = {
      ...WEB,
      ports: [
        { ...http, backends: [...http.backends, remote] },
        { ...http, name: "", port: 81, nodePort: null, backends: [] },
      ],
    };
    expect(formatService(service)).toBe(`\
default/web   NodePort   10.96.0.10

PORT                ENDPOINT             WHERE
http 80:30080/TCP   10.244.1.5:8080      this node
                    [2001:db8::5]:8080   elsewhere
81/TCP              <none>
`);
  });

  test("an external name stands where the address would", () => {
    expect(formatServices([{ ...WEB, externalName: "db.example.com", clusterIps: [] }])).toContain("db.example.com");
  });
});

test("a resolution says where it comes from", () => {
  const resolution = {
    name: "web.default.svc.cluster.local.",
    type: "A",
    rcode: "NOERROR",
    answers: [{ name: "web.default.svc.cluster.local.", type: "A", ttlSeconds: 5, data: "10.96.0.10" }],
    from: "cluster",
    durationSeconds: 0.00042,
  } as const;
  expect(formatResolution(resolution)).toBe(`\
web.default.svc.cluster.local. A: NOERROR, 1 record from cluster, 0.4 ms

NAME                             TTL   TYPE   DATA
web.default.svc.cluster.local.   5     A      10.96.0.10
`);
  expect(formatResolution({ ...resolution, rcode: "NXDOMAIN", answers: [], from: "none" })).toBe(
    "web.default.svc.cluster.local. A: NXDOMAIN, 0 records from none, 0.4 ms\n",
  );
});
