import { formatDuration, seconds } from "../../src/base/duration.ts";
import { formatTable, type Paint, printable } from "../../src/cli/table.ts";
import type {
  PeerReport,
  TunnelChildReport,
  TunnelReport,
  TunnelReportState,
  TunnelSocket,
} from "../../src/network/tunnel-report.ts";

const NONE = "-";
const COLOURS: Readonly<Record<TunnelReportState, "green" | "yellow" | "red">> = {
  up: "green",
  partial: "yellow",
  connecting: "yellow",
  queued: "yellow",
  waiting: "yellow",
  down: "red",
};

/** A line for each, and below them why those are not up that are not. */
export function formatTunnels(tunnels: readonly TunnelReport[], wide: boolean, paint: Paint): string {
  const header = ["PEER", "STATE", "REMOTE", "UP", "CHILDREN", "IN", "OUT", "LAST IN", "LATENCY"];
  const more = ["ROLE", "LOCAL", "NAT", "REKEY", "TYPE", "CIPHERS"];
  const rows = tunnels.map((tunnel) => {
    const { ike, children } = tunnel;
    const row = [
      tunnel.peer,
      paint(COLOURS[tunnel.state], tunnel.state),
      ike === null ? tunnel.addresses.join(",") || NONE : formatSocket(ike.remote),
      span(ike?.establishedSeconds ?? null),
      [...new Set(children.map(({ name }) => shortName(tunnel.peer, name)))].join(",") || NONE,
      bytes(sum(children, ({ bytesIn }) => bytesIn)),
      bytes(sum(children, ({ bytesOut }) => bytesOut)),
      span(least(children.map(({ lastInSeconds }) => lastInSeconds))),
      milliseconds(tunnel.latencySeconds),
    ];
    if (!wide) return row;
    return [
      ...row,
      ike?.role ?? NONE,
      ike === null ? NONE : formatSocket(ike.local),
      ike === null ? NONE : formatNat(ike.nat),
      span(ike?.rekeySeconds ?? null),
      tunnel.type ?? NONE,
      [ike?.proposal, children[0]?.proposal].filter((text) => text !== undefined && text !== "").join(" ") || NONE,
    ];
  });
  return formatTable(wide ? [...header, ...more] : header, rows) + formatTroubles(tunnels);
}

/** All that charon knows of one, in the words of swanctl --list-sas. */
export function formatTunnel(tunnel: TunnelReport, paint: Paint): string {
  const { peer, state, since, ike, type, trouble } = tunnel;
  const title = `${peer}   ${type ?? "no type"}   ${paint(COLOURS[state], state)}${since === null ? "" : ` since ${since}`}`;
  const lines = [printable(title)];
  if (trouble !== null) lines.push(`  ${trouble.code}: ${printable(trouble.message)}`, `  ${printable(trouble.hint)}`);
  lines.push(
    `  local   ${printable(tunnel.localId)}`,
    `  remote  ${printable(tunnel.remoteId)}`,
    `  at      ${printable(tunnel.addresses.join(", ")) || "no address: it has to come"}`,
  );
  if (ike !== null) {
    lines.push(
      `  IKE #${ike.uniqueId}, ${printable(ike.state)}, IKEv2, ${ike.role}, ${ike.initiatorSpi}_i ${ike.responderSpi}_r`,
      `    ${formatSocket(ike.local)} to ${formatSocket(ike.remote)}, ${formatNat(ike.nat)}`,
      `    ${printable(ike.proposal)}`,
      `    established ${ago(ike.establishedSeconds)}, ${rekeying(ike.rekeySeconds)}`,
    );
  }
  return `${lines.join("\n")}\n${tunnel.children.map(formatChild).join("")}`;
}

function formatChild(child: TunnelChildReport): string {
  const mode = `${child.mode}${child.encapsulated ? "-in-UDP" : ""}`;
  const life = child.lifeSeconds === null ? "" : `, expires in ${span(child.lifeSeconds)}`;
  const counter = (way: "in " | "out", spi: string, size: number, packets: number, last: number | null) =>
    `    ${way} ${spi}, ${size} bytes, ${packets} packets${last === null ? "" : `, ${ago(last)}`}\n`;
  return [
    `  ${printable(child.name)} #${child.uniqueId}, ${printable(child.state)}, ${mode}, ESP:${printable(child.proposal)}\n`,
    `    installed ${ago(child.installedSeconds)}, ${rekeying(child.rekeySeconds)}${life}\n`,
    counter("in ", child.spiIn, child.bytesIn, child.packetsIn, child.lastInSeconds),
    counter("out", child.spiOut, child.bytesOut, child.packetsOut, child.lastOutSeconds),
    `    local  ${printable(child.localSelectors.join(" "))}\n`,
    `    remote ${printable(child.remoteSelectors.join(" "))}\n`,
  ].join("");
}

/** One line for each peer. */
export function formatPeers(peers: readonly PeerReport[], wide: boolean, paint: Paint): string {
  const header = ["PEER", "TYPE", "PATH", "VIA", "LATENCY", ...(wide ? ["SUBNETS", "NODES"] : [])];
  const rows = peers.map(({ name, type, path, via, latencySeconds, subnets, nodeSubnets }) => [
    name,
    type ?? NONE,
    paint(path === "down" ? "red" : "green", path),
    via ?? NONE,
    milliseconds(latencySeconds),
    ...(wide ? [subnets.join(",") || NONE, nodeSubnets.join(",") || NONE] : []),
  ]);
  return formatTable(header, rows) + formatTroubles(peers.filter(({ path }) => path === "down"));
}

function formatTroubles(items: readonly Pick<TunnelReport, "trouble">[]): string {
  const lines = items.flatMap(({ trouble }) =>
    trouble === null ? [] : [`${trouble.code}   ${printable(trouble.message)}\n   ${printable(trouble.hint)}\n`],
  );
  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}

function shortName(peer: string, child: string): string {
  return child.startsWith(`${peer}-`) ? child.slice(peer.length + 1) : child;
}

function formatSocket({ address, port }: TunnelSocket): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function formatNat({ local, remote }: { readonly local: boolean; readonly remote: boolean }): string {
  if (local && remote) return "NAT at both ends";
  if (local) return "NAT here";
  return remote ? "NAT there" : "no NAT";
}

function rekeying(inSeconds: number | null): string {
  return inSeconds === null ? "not rekeying" : `rekeying in ${span(inSeconds)}`;
}

function ago(spanSeconds: number | null): string {
  return spanSeconds === null ? "not yet" : `${span(spanSeconds)} ago`;
}

function span(spanSeconds: number | null): string {
  return spanSeconds === null ? NONE : formatDuration(seconds(spanSeconds));
}

function milliseconds(latencySeconds: number | null): string {
  return latencySeconds === null ? NONE : `${(latencySeconds * 1000).toFixed(1)} ms`;
}

function sum(children: readonly TunnelChildReport[], read: (child: TunnelChildReport) => number): number {
  return children.reduce((total, child) => total + read(child), 0);
}

function least(values: readonly (number | null)[]): number | null {
  return values.reduce((a, b) => (a === null || (b !== null && b < a) ? b : a), null);
}

function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, n < 1 ? 0 : Math.floor(Math.log2(n) / 10));
  return power === 0 ? `${n} B` : `${(n / 1024 ** power).toFixed(1)} ${units[power]}`;
}
