import type { Condition } from "../../src/base/health.ts";
import type { SourceKind } from "../../src/kube/trust.ts";
import type { KindStatus } from "./kind-cache.ts";

/** Errors that pass by themselves when the cloud is back; anything else needs somebody to act. */
const AWAY = new Set([
  "KUBE_UNREACHABLE",
  "KUBE_CLOUD_ABSENT",
  "KUBE_UNAVAILABLE",
  "KUBE_SERVER_ERROR",
  "KUBE_BUSY",
  "KUBE_GONE",
]);

export const SOURCE_CONDITIONS = [
  "SOURCE_UNREACHABLE",
  "SOURCE_REFUSED",
  "OBJECTS_REJECTED",
  "DELETIONS_HELD",
  "ENDPOINT_SLICES_WITHHELD",
  "NODE_DOCUMENTS_WITHHELD",
  "NODE_UNKNOWN",
] as const;

type SourceCondition = Omit<Condition, "since"> & { readonly code: (typeof SOURCE_CONDITIONS)[number] };

/** What a source says of a kind that it does not give to us; metaServer answers such a list as if the cloud were away. */
const WITHHELD = new Set(["KUBE_FORBIDDEN", "KUBE_NOT_FOUND", "KUBE_CLOUD_ABSENT"]);

/** The node's own documents. */
export function isOwnDocument({ kind }: Pick<KindStatus, "kind">): boolean {
  return kind === "ConfigMap" || kind === "Secret";
}

/** Whether services need the kind: what they do not need neither holds them up nor counts for the source. */
export function isNeeded(kind: Pick<KindStatus, "kind">): boolean {
  return !isOwnDocument(kind) && !isOptional(kind);
}

/** Most clusters do not have it: that it is not given is nothing to tell. */
export function isOptional({ kind }: Pick<KindStatus, "kind">): boolean {
  return kind === "GlobalService";
}

/**
 * Whether the source has said, in this run, all that it is going to say of services: each kind has been listed, or is
 * withheld from us. Services have to be listed, and one of the two kinds that their endpoints come in.
 */
export function hasCloudSpoken(kinds: readonly KindStatus[]): boolean {
  const trusted = (...wanted: readonly KindStatus["kind"][]) => kinds.some((k) => k.trusted && wanted.includes(k.kind));
  return (
    trusted("Service") &&
    trusted("EndpointSlice", "Endpoints") &&
    kinds.every((kind) => !isNeeded(kind) || kind.trusted || isWithheld(kind))
  );
}

/** Whether the source says of a kind that it does not give it to us. */
export function isWithheld({ error }: Pick<KindStatus, "error">): boolean {
  return error !== undefined && WITHHELD.has(error.code);
}

/** Whom we ask, and who we are. */
export interface Asked {
  readonly kind: SourceKind;
  readonly nodeName: string;
}

/** What the state of the kinds says about the source. */
export function planConditions(kinds: readonly KindStatus[], source: Asked | undefined): readonly SourceCondition[] {
  const needed = kinds.filter(isNeeded);
  return [
    ...sourceConditions(needed, source?.kind),
    ...documentsCondition(needed, kinds.filter(isOwnDocument)),
    ...(source === undefined ? [] : nodeCondition(kinds, source)),
    ...rejectedCondition(kinds),
    ...heldCondition(kinds),
    ...(kinds.some(({ withheld }) => withheld) ? [WITHHELD_CONDITION] : []),
  ];
}

/** KubeEdge comes without it, so that nobody listens there. */
const META_SERVER_HINT =
  "See whether edgecore runs, and set modules.metaManager.metaServer.enable in edgecore.yaml; until then everything goes on from the cache.";

function sourceConditions(kinds: readonly KindStatus[], source: SourceKind | undefined): readonly SourceCondition[] {
  const failing = kinds.flatMap(({ kind, error, withheld }) =>
    error === undefined || withheld ? [] : [{ kind, error }],
  );
  const away = failing.find(({ error }) => AWAY.has(error.code));
  const refused = failing.find(({ error }) => !AWAY.has(error.code));
  const objectCount = kinds.reduce((sum, { objectCount }) => sum + objectCount, 0);
  const conditions: SourceCondition[] = [];
  if (away !== undefined) {
    conditions.push({
      code: "SOURCE_UNREACHABLE",
      component: "source",
      // Being cut off is what this program is made for: with a cache it is news, without one nothing can work.
      severity: objectCount > 0 ? "info" : "degraded",
      message: `${away.error.message}; serving ${objectCount} objects from the cache`,
      hint:
        source === "metaserver" && away.error.code === "KUBE_UNREACHABLE" ? META_SERVER_HINT : (away.error.hint ?? ""),
    });
  }
  if (refused !== undefined) {
    conditions.push({
      code: "SOURCE_REFUSED",
      component: "source",
      severity: "degraded",
      message: `${refused.kind}: ${refused.error.message}`,
      hint: refused.error.hint ?? "",
    });
  }
  return conditions;
}

const WITHHELD_CONDITION: SourceCondition = {
  code: "ENDPOINT_SLICES_WITHHELD",
  component: "source",
  severity: "info",
  message: "Cannot read EndpointSlices as the source gives Endpoints only: those are used",
  hint: "Endpoints have one address family and at most 1000 addresses a service. For all: let the account (KubeEdge: the ClusterRole of cloudcore) get, list and watch endpointslices of discovery.k8s.io.",
};

/** Told only while the source answers otherwise: a source that is away is one condition. */
function documentsCondition(
  needed: readonly KindStatus[],
  documents: readonly KindStatus[],
): readonly SourceCondition[] {
  const withheld = documents.find(isWithheld);
  if (withheld?.error === undefined || !needed.every((kind) => kind.connected || kind.withheld)) return [];
  const known = withheld.objectCount > 0;
  // A hub without a cluster, and a cluster without the operator, have none: that is nothing to tell.
  if (!known && withheld.error.code === "KUBE_NOT_FOUND") return [];
  return [
    {
      code: "NODE_DOCUMENTS_WITHHELD",
      component: "source",
      severity: known ? "degraded" : "info",
      message: `Cannot read this node's own ${withheld.kind}: ${withheld.error.message}`,
      hint: "Let the account (KubeEdge: the ClusterRole of cloudcore) get, list and watch it by its name; tunnels go on with what the node knows.",
    },
  ];
}

/** Only the own Node is asked for. A hub's folder need not have any. */
function nodeCondition(kinds: readonly KindStatus[], { kind: source, nodeName }: Asked): readonly SourceCondition[] {
  const node = kinds.find(({ kind }) => kind === "Node");
  if (node === undefined || !node.trusted || !node.connected || node.objectCount + node.rejectedCount > 0) return [];
  const hub = source === "hub";
  return [
    {
      code: "NODE_UNKNOWN",
      component: "source",
      severity: hub ? "info" : "degraded",
      message: `Cannot find this node as the source has no Node of its name: current value is ${nodeName}`,
      hint: hub
        ? "Set node-name to the name in the node's manifest. Where the folder has no Nodes, only tunnels and zones are missing."
        : "Set node-name as kubectl get nodes has it; where it is right, the node has not registered yet, or was deleted.",
    },
  ];
}

function rejectedCondition(kinds: readonly KindStatus[]): readonly SourceCondition[] {
  const count = kinds.reduce((sum, { rejectedCount }) => sum + rejectedCount, 0);
  const first = kinds.flatMap(({ kind, rejected }) => rejected.map((r) => ({ kind, ...r })))[0];
  if (first === undefined) return [];
  const place = first.at === "" ? "" : `${first.at}: `;
  return [
    {
      code: "OBJECTS_REJECTED",
      component: "source",
      severity: "degraded",
      message: `Cannot read ${count} objects; the first is ${first.kind} ${first.key ?? "without a name"}: ${place}${first.why}`,
      hint: "Correct the object in the cloud; until then its last readable state is used.",
    },
  ];
}

function heldCondition(kinds: readonly KindStatus[]): readonly SourceCondition[] {
  const held = kinds.find(({ heldDeletions }) => heldDeletions > 0);
  if (held === undefined) return [];
  return [
    {
      code: "DELETIONS_HELD",
      component: "source",
      severity: "info",
      message: `Cannot believe yet that ${held.heldDeletions} of ${held.objectCount} ${held.kind} objects are gone`,
      hint: "The list is asked for again within seconds; a second one that agrees is believed.",
    },
  ];
}
