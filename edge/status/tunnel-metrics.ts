import type { Labels, Metrics } from "../../src/base/metrics.ts";
import type { TunnelChildReport, TunnelReport, TunnelReportState } from "../../src/network/tunnel-report.ts";
import type { CharonState } from "../../src/strongswan/tunnel-state.ts";

export interface TunnelMetricsFacts {
  tunnels(): readonly TunnelReport[];
  charon(): CharonState;
  /** When this node's certificate ends, in milliseconds since 1970. */
  certificateEnds(): number | undefined;
}

/** Peers that have series of their own: communities of some dozens are usual. Beyond it, only `tunnels` counts them. */
export const PEER_SERIES_LIMIT = 256;

const STATES: readonly TunnelReportState[] = ["up", "partial", "connecting", "queued", "waiting", "down"];

/** Counters begin anew with each SA, as Prometheus' do with each process. */
export function registerTunnelMetrics(metrics: Metrics, facts: TunnelMetricsFacts): void {
  const perPeer = (read: (tunnel: TunnelReport) => number | null) => (): readonly (readonly [Labels, number])[] =>
    facts
      .tunnels()
      .slice(0, PEER_SERIES_LIMIT)
      .flatMap((tunnel) => {
        const value = read(tunnel);
        return value === null ? [] : [[{ peer: tunnel.peer }, value] as const];
      });
  const sum = (read: (child: TunnelChildReport) => number) =>
    perPeer(({ children }) => children.reduce((total, child) => total + read(child), 0));

  metrics.gauge("tunnels", "Tunnels by their state.", () => {
    const tunnels = facts.tunnels();
    return STATES.map((state) => [{ state }, tunnels.filter((tunnel) => tunnel.state === state).length]);
  });
  metrics.gauge(
    "tunnel_up",
    "Whether all of a peer can be reached through its tunnel.",
    perPeer(({ state }) => (state === "up" ? 1 : 0)),
  );
  metrics.gauge(
    "tunnel_latency_seconds",
    "The last round trip through a tunnel, where one was measured.",
    perPeer(({ latencySeconds }) => latencySeconds),
  );
  metrics.counterOf(
    "tunnel_received_bytes_total",
    "Bytes that came through a tunnel's present SAs.",
    sum(({ bytesIn }) => bytesIn),
  );
  metrics.counterOf(
    "tunnel_sent_bytes_total",
    "Bytes that went through a tunnel's present SAs.",
    sum(({ bytesOut }) => bytesOut),
  );
  metrics.counterOf(
    "tunnel_received_packets_total",
    "Packets that came through a tunnel's present SAs.",
    sum(({ packetsIn }) => packetsIn),
  );
  metrics.counterOf(
    "tunnel_sent_packets_total",
    "Packets that went through a tunnel's present SAs.",
    sum(({ packetsOut }) => packetsOut),
  );
  metrics.gauge("charon_connected", "Whether charon answers.", () => (facts.charon().phase === "connected" ? 1 : 0));
  metrics.gauge("certificate_expiry_timestamp_seconds", "When this node's certificate ends.", () => {
    const ends = facts.certificateEnds();
    return ends === undefined ? [] : ends / 1000;
  });
}
