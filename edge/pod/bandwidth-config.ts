import type { JsonView } from "../../src/kube/json-view.ts";

/** A token bucket: what may go on average, and at once. */
export interface Shape {
  readonly bitsPerSecond: number;
  readonly burstBits: number;
}

/** What a pod's annotations kubernetes.io/ingress-bandwidth and egress-bandwidth come to. */
export interface Bandwidth {
  /** Towards the pod. */
  readonly ingress: Shape | undefined;
  /** From the pod. */
  readonly egress: Shape | undefined;
}

/** kubelet's own bound for the annotations is 1 Pbit/s (validateBandwidthIsReasonable). */
const RATE_LIMIT = 1e15;
/** The kernel takes the burst as 32 bits of bytes. */
const BURST_LIMIT = 8 * 0xffffffff;

/** @returns undefined where nothing is limited */
export function readBandwidth(view: JsonView): Bandwidth | undefined {
  const ingress = readShape(view, "ingress");
  const egress = readShape(view, "egress");
  return ingress === undefined && egress === undefined ? undefined : { ingress, egress };
}

function readShape(view: JsonView, direction: "ingress" | "egress"): Shape | undefined {
  const rate = view.field(`${direction}Rate`);
  const burst = view.field(`${direction}Burst`);
  const bitsPerSecond = rate.optionalInteger(0, RATE_LIMIT) ?? 0;
  const burstBits = burst.optionalInteger(0, BURST_LIMIT) ?? 0;
  if (bitsPerSecond === 0 && burstBits === 0) return undefined;
  if (bitsPerSecond < 8) return rate.refuse("less than a byte a second, with a burst");
  // Less than a byte at once lets nothing through.
  return burstBits < 8 ? burst.refuse("less than a byte, with a rate") : { bitsPerSecond, burstBits };
}
