import type { DecodeError, Result } from "../../base/result.ts";
import type { ClusterNode } from "../../network/cluster-node.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import { readCondition } from "./condition.ts";
import { readCreated, readName, readUid } from "./metadata.ts";
import { NODE_ADDRESSES_MAX, readPodCidrs } from "./node.ts";
import { readIp } from "./service.ts";

/** What a person writes beside a node is a line or two; the longest is a list of addresses. */
export const NODE_ANNOTATION_LENGTH_MAX = 4096;
/** Agents have some thirty arguments. */
const NODE_ANNOTATIONS_MAX = 128;
/** A label's value (Kubernetes' validation). */
const LABEL_VALUE_LENGTH_MAX = 63;

/** Which labels and annotations of a node are read; a node has dozens, most of them nobody's business here. */
export interface NodeMetadataFilter {
  readonly labels: ReadonlySet<string>;
  readonly annotations: (name: string) => boolean;
}

/** Reads a v1 Node. Annotations stay as they are written: what is wrong with one is said where its meaning is known. */
export function parseClusterNode(json: unknown, filter: NodeMetadataFilter): Result<ClusterNode, DecodeError> {
  return parseJson(json, (object) => {
    const metadata = object.field("metadata");
    return {
      name: readName(object),
      uid: readUid(object),
      created: readCreated(object),
      labels: readTexts(metadata.field("labels"), (name) => filter.labels.has(name), LABEL_VALUE_LENGTH_MAX),
      annotations: readTexts(metadata.field("annotations"), filter.annotations, NODE_ANNOTATION_LENGTH_MAX),
      ready: readCondition(json, "Ready")?.status === "True",
      internalIps: object
        .field("status")
        .field("addresses")
        .array(NODE_ADDRESSES_MAX)
        .filter((entry) => entry.field("type").optionalString(LABEL_VALUE_LENGTH_MAX) === "InternalIP")
        .map((entry) => readIp(entry.field("address"))),
      podCidrs: readPodCidrs(object.field("spec")),
    };
  });
}

function readTexts(view: JsonView, wanted: (name: string) => boolean, most: number): Readonly<Record<string, string>> {
  const entries = view.entries().filter(([name]) => wanted(name));
  if (entries.length > NODE_ANNOTATIONS_MAX) view.refuse(`more than ${NODE_ANNOTATIONS_MAX} that are ours`);
  return Object.fromEntries(entries.map(([name, value]) => [name, value.optionalString(most) ?? ""]));
}
