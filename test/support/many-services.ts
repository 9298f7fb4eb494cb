import type { KubernetesObject } from "../lab/service-objects.ts";
import { objectsOf, PODS, type TestService } from "./edge-world.ts";

/** The number's service: `s7` at 10.112.0.7 and so on, up to a million. */
export function numberedService(number: number, endpoints: readonly string[] = [PODS["web-1"]]): TestService {
  return { name: `s${number}`, clusterIp: numberedAddress(112, number), endpoints };
}

/** 10.NET.0.0 and up, for numbers below 2^16; the next networks follow. */
export function numberedAddress(net: number, number: number): string {
  return `10.${net + (number >> 16)}.${(number >> 8) & 0xff}.${number & 0xff}`;
}

export function numberedObjects(count: number, endpoints?: readonly string[]): readonly KubernetesObject[] {
  return Array.from({ length: count }, (_, number) => objectsOf(numberedService(number, endpoints))).flat();
}
