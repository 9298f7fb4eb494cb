import { formatDuration, seconds } from "../../src/base/duration.ts";
import { formatConditions } from "../../src/cli/check-report.ts";
import { formatTable, type Paint, printable } from "../../src/cli/table.ts";
import type { Resolution, ServiceDetail, ServicePortDetail, StatusReport } from "../../src/network/agent-report.ts";

/** One screen: what it is, whether it works, what is wrong. */
export function formatStatus(status: StatusReport, paint: Paint): string {
  const { agent, source, cache, service, dns } = status;
  const ready = status.ready ? paint("green", "yes") : paint("red", "no");
  const starting = status.components.filter((component) => component.state === "starting").map(({ name }) => name);
  const lines: readonly (readonly [string, string])[] = [
    ["Node", `${agent.node}   selvedge ${agent.version}, pid ${agent.pid}, up ${span(agent.uptimeSeconds)}`],
    ["Ready", starting.length === 0 ? ready : `${ready}   still starting: ${starting.join(", ")}`],
    ["Source", `${source.type} ${source.url}, ${describeSource(source)}`],
    [
      "Cache",
      `${count(cache.objects, "object")}${cache.sizeBytes === null ? "" : `, ${bytes(cache.sizeBytes)}`}, ${cache.path}`,
    ],
    ["Services", service.enabled ? describeService(service) : "off (--enable-proxy=false)"],
    ["Names", dns.enabled ? describeDns(dns) : "off (--enable-dns=false)"],
    ["Fabric", describeFabric(status.fabric)],
  ];
  const head = lines.map(([title, text]) => `${paint("bold", title.padEnd(10))}${printable(text)}\n`).join("");
  return head + (status.conditions.length === 0 ? "" : `\n${formatConditions(status.conditions, paint)}`);
}

function describeSource(source: StatusReport["source"]): string {
  if (source.connected) return "connected";
  if (source.stalenessSeconds === null) return "not connected, never heard";
  return `not connected, last heard ${span(source.stalenessSeconds)} ago: working from the cache`;
}

function describeService(service: StatusReport["service"]): string {
  const mode = service.mode === null ? "starting" : `by ${service.mode} (${service.reason})`;
  return `${count(service.services, "service")}, ${count(service.endpoints, "endpoint")}, ${mode}`;
}

function describeDns(dns: StatusReport["dns"]): string {
  const upstreams = dns.upstreams.map(({ address, healthy }) => (healthy ? address : `${address} (down)`));
  return [
    dns.listening.length === 0 ? "not listening" : dns.listening.join(" "),
    `${count(dns.names, "name")} in ${dns.domain}`,
    ...(dns.globalNames === 0 ? [] : [`${dns.globalNames} in svc.global`]),
    `${dns.cached} cached`,
    `upstreams ${upstreams.length === 0 ? "none" : upstreams.join(" ")}`,
  ].join(", ");
}

export function formatServices(services: readonly ServiceDetail[]): string {
  const rows = services.map((service) => [
    service.namespace,
    service.name,
    service.type,
    addresses(service),
    service.externalIps.join(",") || "<none>",
    service.ports.map(portText).join(",") || "<none>",
    readyText(service.ports),
  ]);
  return formatTable(["NAMESPACE", "NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORTS", "ENDPOINTS"], rows);
}

/** Where each port's connections go. */
export function formatService(service: ServiceDetail): string {
  const rows = service.ports.flatMap((port) => {
    const name = `${port.name === "" ? "" : `${port.name} `}${portText(port)}`;
    if (port.backends.length === 0) return [[name, "<none>", ""]];
    return port.backends.map(({ address, port: number, local }, i) => {
      const target = address.includes(":") ? `[${address}]:${number}` : `${address}:${number}`;
      return [i === 0 ? name : "", target, local ? "this node" : "elsewhere"];
    });
  });
  const title = `${service.namespace}/${service.name}   ${service.type}   ${addresses(service)}`;
  return `${printable(title)}\n\n${formatTable(["PORT", "ENDPOINT", "WHERE"], rows)}`;
}

function addresses(service: ServiceDetail): string {
  if (service.externalName !== null) return service.externalName;
  return service.headless ? "None" : service.clusterIps.join(",") || "<none>";
}

function portText({ port, nodePort, protocol }: ServicePortDetail): string {
  return `${port}${nodePort === null ? "" : `:${nodePort}`}/${protocol}`;
}

/** In use of all that there are; the worst port speaks for the service. */
function readyText(ports: readonly ServicePortDetail[]): string {
  const worst = [...ports].sort((a, b) => a.backends.length - b.backends.length)[0];
  return worst === undefined ? "-" : `${worst.backends.length}/${worst.endpoints}`;
}

export function formatResolution(resolution: Resolution): string {
  const { name, type, rcode, answers, from, durationSeconds } = resolution;
  const took = `${(durationSeconds * 1000).toFixed(1)} ms`;
  const head = `${name} ${type}: ${rcode}, ${count(answers.length, "record")} from ${from}, ${took}`;
  if (answers.length === 0) return `${printable(head)}\n`;
  const rows = answers.map((answer) => [answer.name, String(answer.ttlSeconds), answer.type, answer.data]);
  return `${printable(head)}\n\n${formatTable(["NAME", "TTL", "TYPE", "DATA"], rows)}`;
}

function describeFabric({ name, peers, tunnelsUp, certificateEnds, charon }: StatusReport["fabric"]): string {
  if (name === null) return "none has been heard of";
  const version = charon.version === null ? "" : ` ${charon.version}`;
  const certificate = certificateEnds === null ? "no certificate" : `certificate until ${certificateEnds.slice(0, 10)}`;
  const daemon = charon.state === "connected" ? `charon${version}` : `charon is ${charon.state}`;
  return `${name}, ${tunnelsUp} of ${count(peers, "tunnel")} up, ${daemon}, ${certificate}`;
}

function span(spanSeconds: number): string {
  return formatDuration(seconds(spanSeconds));
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  return n < 1024 * 1024 ? `${Math.round(n / 1024)} KiB` : `${(n / 1024 / 1024).toFixed(1)} MiB`;
}
