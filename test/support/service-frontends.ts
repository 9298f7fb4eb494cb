import fc from "fast-check";
import type { Backend, Frontend } from "../../edge/service/frontend.ts";
import { ip } from "./network-objects.ts";

/** @param address with "here" behind it when it is on this node, such as "10.1.0.1 here" */
export function makeBackend(address: string, port = 8080): Backend {
  const [text = "", place] = address.split(" ");
  return { address: ip(text), port, local: place === "here" };
}

export function makeFrontend(over: Partial<Frontend> = {}): Frontend {
  return {
    service: "ns/web",
    portName: "http",
    kind: "cluster-ip",
    family: 4,
    address: ip("10.96.0.1"),
    protocol: "TCP",
    port: 80,
    backends: [],
    externalBackends: undefined,
    serving: [],
    affinitySeconds: undefined,
    sourceRanges: [],
    ...over,
  };
}

const backend4 = fc.integer({ min: 1, max: 8 }).map((n) => makeBackend(`10.1.0.${n}${n % 2 === 0 ? " here" : ""}`));
const backend6 = fc.integer({ min: 1, max: 8 }).map((n) => makeBackend(`fd00::${n}${n % 2 === 0 ? " here" : ""}`));
const ranges = fc.subarray([
  { address: ip("10.0.0.0"), length: 8 },
  { address: ip("10.1.0.0"), length: 16 },
  { address: ip("192.0.2.7"), length: 32 },
  { address: ip("fd00::"), length: 8 },
]);

/** Any frontend of a small world, so that different ones share addresses, ports and endpoints. */
export const anyFrontend: fc.Arbitrary<Frontend> = fc
  .record({
    kind: fc.constantFrom("cluster-ip", "external", "node-port"),
    family: fc.constantFrom(4, 6),
    host: fc.integer({ min: 1, max: 4 }),
    protocol: fc.constantFrom("TCP", "UDP"),
    port: fc.constantFrom(80, 443),
    affinitySeconds: fc.option(fc.constantFrom(10, 10_800), { nil: undefined }),
    local: fc.boolean(),
    sourceRanges: ranges,
  })
  .chain(({ kind, family, host, local, sourceRanges, ...rest }) => {
    const backends = fc.uniqueArray(family === 4 ? backend4 : backend6, { selector: (b) => b.address, maxLength: 6 });
    const network = { "cluster-ip": "10.96.0", external: "203.0.113" } as const;
    const prefix = { "cluster-ip": "fd10::", external: "fd11::" } as const;
    return backends.map((list) => ({
      service: "ns/any",
      portName: "",
      kind,
      family,
      ...rest,
      address:
        kind === "node-port" ? undefined : ip(family === 4 ? `${network[kind]}.${host}` : `${prefix[kind]}${host}`),
      backends: list,
      externalBackends: local && kind !== "cluster-ip" ? list.filter((b) => b.local) : undefined,
      serving: rest.protocol === "UDP" ? list : [],
      sourceRanges: kind === "external" ? sourceRanges : [],
    }));
  });
