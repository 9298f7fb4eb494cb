import type { Counter, Histogram, Metrics } from "../../src/base/metrics.ts";

/** From one changed element to a full load on a small machine. */
const APPLY_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export interface ServiceCounts {
  readonly services: number;
  readonly frontends: number;
  readonly endpoints: number;
  readonly conflicts: readonly unknown[];
}

export class ServiceMetrics {
  readonly #metrics: Metrics;
  readonly #applySeconds: Histogram;
  readonly #errors: Counter;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.#applySeconds = metrics.histogram(
      "nft_apply_seconds",
      "Time of one nftables transaction, planning left out.",
      APPLY_BUCKETS,
    );
    this.#errors = metrics.counter("nft_apply_errors_total", "Attempts to bring services up to date that failed.");
  }

  applied(elapsedSeconds: number): void {
    this.#applySeconds.observe(elapsedSeconds);
  }

  /** @param code of the error: a closed list, so a bounded label */
  failed(code: string): void {
    this.#errors.add(1, { code });
  }

  /** @param read packets, or none where the kernel does not tell */
  watchDnsDrops(read: () => number | readonly []): void {
    this.#metrics.counterOf(
      "dns_client_dropped_packets_total",
      "Packets to DNS beyond what one client may send; from zero again with a new ruleset.",
      read,
    );
  }

  watch(read: () => ServiceCounts): void {
    this.#metrics.gauge("services", "Services that this node carries.", () => read().services);
    this.#metrics.gauge("service_frontends", "Addresses and ports that this node translates.", () => read().frontends);
    this.#metrics.gauge("endpoints", "Endpoints behind them, once per frontend.", () => read().endpoints);
    this.#metrics.gauge(
      "service_conflicts",
      "Frontends that an older service has already.",
      () => read().conflicts.length,
    );
  }
}
