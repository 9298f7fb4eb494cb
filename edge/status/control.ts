import type { Condition } from "../../src/base/health.ts";
import type {
  ComponentState,
  Resolution,
  ServiceDetail,
  ServiceFilter,
  StatusReport,
} from "../../src/network/agent-report.ts";
import type { TunnelReport } from "../../src/network/tunnel-report.ts";

/** What the agent tells whoever asks: wiring gives the functions, the servers call them. */
export interface ControlHandlers {
  status(): Promise<StatusReport>;
  /** The same as a text for people. */
  statusText(): Promise<string>;
  /** Sorted by namespace and name. */
  services(filter: ServiceFilter): readonly ServiceDetail[];
  /** By the peers' names, with the counters of now. */
  tunnels(): Promise<readonly TunnelReport[]>;
  /** @throws SelvedgeError when DNS is switched off or the name or type is none */
  resolve(name: string, type: string): Promise<Resolution>;
  components(): readonly ComponentState[];
  conditions(): readonly Condition[];
  /** Whether the process itself works, every thread of it: never a matter of cloud, source or peers. */
  alive(): boolean;
  /** Prometheus' text format. */
  metrics(): Promise<string>;
  version(): string;
}
