import { cachedObjectDecoder } from "../../edge/cache/cached-object.ts";
import { ListSplitter } from "../../src/kube/list-stream.ts";
import { readItem, readObject } from "../../src/kube/object-reader.ts";
import { LineSplitter } from "../../src/kube/watch-stream.ts";
import type { ObjectKind } from "../../src/network/object-change.ts";

export interface KubeFuzzReport {
  readonly cases: number;
  /** Objects that were read although their text was mutated. */
  readonly read: number;
  readonly rejected: number;
  /** Lists that were taken for whole. */
  readonly wholeLists: number;
}

const KINDS = ["Service", "EndpointSlice", "Endpoints", "Node"] as const satisfies readonly ObjectKind[];

const METADATA = { namespace: "shop", name: "web", uid: "u-1", resourceVersion: "7" };
const OBJECTS: Readonly<Record<ObjectKind, object>> = {
  Service: {
    metadata: { ...METADATA, labels: { app: "web" }, creationTimestamp: "2026-11-21T05:15:00Z" },
    spec: {
      type: "LoadBalancer",
      clusterIPs: ["10.96.0.1", "fd00::1"],
      externalIPs: ["192.0.2.1"],
      loadBalancerSourceRanges: ["192.0.2.0/24"],
      ports: [{ name: "http", port: 80, protocol: "TCP", nodePort: 30080 }],
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
    },
    status: { loadBalancer: { ingress: [{ ip: "203.0.113.9", ipMode: "VIP" }] } },
  },
  EndpointSlice: {
    metadata: { ...METADATA, labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080 }],
    endpoints: [{ addresses: ["10.1.0.1"], conditions: { ready: true }, hints: { forZones: [{ name: "z" }] } }],
  },
  Endpoints: {
    metadata: METADATA,
    subsets: [{ addresses: [{ ip: "10.1.0.1" }], notReadyAddresses: [{ ip: "fd00::2" }], ports: [{ port: 80 }] }],
  },
  Node: {
    metadata: { ...METADATA, labels: { "topology.kubernetes.io/zone": "z" } },
    spec: { podCIDRs: ["10.2.0.0/24"] },
    status: { addresses: [{ type: "InternalIP", address: "192.0.2.7" }] },
  },
};

/** Bytes that JSON and the splitters look at. */
const TELLING = [...'{}[]",:\\\n0-9ntf. '].map((char) => char.charCodeAt(0));
/** Values that stand where another was expected. */
const STRANGERS = ["null", "true", "-1", "1e999", '""', "[]", "{}", '"\\u0000"', "[[[[[[[[]]]]]]]]", '"10.0.0.256"'];
const MOST_BYTES = 4096;

/**
 * Puts watches and lists through mutation and uneven cutting into the splitters and the object parsers: nothing may
 * throw, no piece is larger than its bound, and what was read is read again the same from its trimmed text.
 *
 * @param seed the same seed makes the same cases
 */
export function fuzzKube(cases: number, seed: number): KubeFuzzReport {
  const random = xorshift(seed);
  const report = { cases, read: 0, rejected: 0, wholeLists: 0 };
  for (let i = 0; i < cases; i++) {
    const kind = KINDS[random() % KINDS.length] ?? "Service";
    const decoder = cachedObjectDecoder<ObjectKind>(kind, (text) => text);
    const object = JSON.stringify(OBJECTS[kind]);
    const count = (read: { readonly ok: boolean }) => {
      if (read.ok) report.read += 1;
      else report.rejected += 1;
    };
    if (i % 2 === 0) {
      const lines = Array.from({ length: 1 + (random() % 3) }, () => `{"type":"MODIFIED","object":${object}}\n`);
      const splitter = new LineSplitter(MOST_BYTES);
      for (const chunk of cut(mutate(lines.join(""), random), random)) {
        for (const line of splitter.push(chunk)) {
          if (!line.oversized && line.text.length > MOST_BYTES) throw new Error("a line over its bound was kept");
          count(readObject(objectOf(line.text), decoder));
        }
      }
      continue;
    }
    const splitter = new ListSplitter(MOST_BYTES);
    const list = `{"kind":"XList","metadata":{"resourceVersion":"9"},"items":[${object},${object}]}`;
    for (const chunk of cut(mutate(list, random), random)) {
      for (const item of splitter.push(chunk)) {
        const read = readItem(item, decoder);
        count(read);
        if (!read.ok || read.object.value === undefined) continue;
        const again = decoder.decode(JSON.parse(read.object.value.body));
        if (!again.ok || !Bun.deepEquals(again.value?.value, read.object.value.value)) {
          throw new Error(`not the same again: ${item.text}`);
        }
      }
    }
    if (splitter.end().ok) report.wholeLists += 1;
  }
  return report;
}

function objectOf(line: string): unknown {
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === "object" && event !== null && "object" in event ? event.object : undefined;
  } catch {
    return undefined;
  }
}

function mutate(text: string, random: () => number): Uint8Array {
  let mutated = text;
  if (random() % 3 === 0) {
    const values = [...text.matchAll(/(?<=[:[,])("[^"]*"|\d+|true)(?=[,\]}])/g)];
    const victim = values[random() % values.length];
    const stranger = STRANGERS[random() % STRANGERS.length] ?? "null";
    if (victim !== undefined) {
      mutated = text.slice(0, victim.index) + stranger + text.slice(victim.index + victim[0].length);
    }
  }
  const bytes = new TextEncoder().encode(mutated);
  for (let n = random() % 3; n > 0; n--) {
    const at = random() % bytes.length;
    bytes[at] = random() % 2 === 0 ? (TELLING[random() % TELLING.length] ?? 0) : random() & 0xff;
  }
  return random() % 8 === 0 ? bytes.subarray(0, random() % bytes.length) : bytes;
}

function* cut(bytes: Uint8Array, random: () => number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + (random() % 200);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
