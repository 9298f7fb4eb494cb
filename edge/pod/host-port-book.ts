import { type Ip, parseIp } from "../../src/base/ip.ts";
import { type JsonView, parseJson } from "../../src/kube/json-view.ts";
import { type PortMapping, readPortMappings } from "./port-mapping.ts";
import type { Attachment } from "./reservation.ts";

/** The host ports of one pod. */
export interface MappedPod extends Attachment {
  readonly addresses: readonly Ip[];
  readonly mappings: readonly PortMapping[];
}

/** Of a node's pods, those with host ports; several times what kubelet runs. */
const PODS_LIMIT = 4096;
const ADDRESSES_LIMIT = 8;

/** Every pod with host ports, the latest one last: the table in the kernel can be made anew from it. */
export type HostPortBook = readonly MappedPod[];

export function formatHostPortBook(book: HostPortBook): string {
  const pods = book.map(({ containerId, ifName, addresses, mappings }) => ({
    containerId,
    ifName,
    addresses,
    mappings: mappings.map(({ hostIp, ...mapping }) => ({ ...mapping, hostIP: hostIp })),
  }));
  return JSON.stringify({ version: 1, pods });
}

/** A file that cannot be read counts as empty: its pods are gone from it, and each new one comes back. */
export function parseHostPortBook(text: string): HostPortBook {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return [];
  }
  const read = parseJson(json, (view) => view.field("pods").list(PODS_LIMIT, readPod));
  return read.ok ? read.value : [];
}

function readPod(view: JsonView): MappedPod {
  return {
    containerId: view.field("containerId").string(256),
    ifName: view.field("ifName").string(15),
    addresses: view.field("addresses").list(ADDRESSES_LIMIT, (item) => item.parsed(64, parseIp)),
    mappings: readPortMappings(view.field("mappings")),
  };
}
