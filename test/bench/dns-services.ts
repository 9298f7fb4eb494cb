import { ipFromBytes } from "../../src/base/ip.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import { makeService, serviceChange } from "../support/network-objects.ts";

export function benchServices(count: number): readonly ObjectChange[] {
  return Array.from({ length: count }, (_, i) => {
    const clusterIps = [ipFromBytes(Uint8Array.of(10, 96, i >> 8, i & 255))];
    return serviceChange(makeService(`ns-${i % 100}/svc-${i}`, { clusterIps }));
  });
}

export function benchName(i: number): string {
  return `svc-${i}.ns-${i % 100}.svc.cluster.local`;
}

export function benchAddress(i: number): string {
  return `10.96.${i >> 8}.${i & 255}`;
}
