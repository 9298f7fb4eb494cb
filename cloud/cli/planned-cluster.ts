import { errorCode } from "../../src/base/errors.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { CONNECTOR_LABEL, parsePublication } from "../../src/kube/objects/connector-publication.ts";
import { CONFIG_MAPS } from "../../src/kube/resource.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import type { Community } from "../../src/network/community.ts";
import { type ConnectorPublication, type EdgeHolder, planHolders } from "../../src/network/connector-claims.ts";
import type { OperatorObjects, PlanChange } from "../operator/change.ts";
import { agentPods, POD_DECODER } from "../operator/observed-documents.ts";
import { observedKinds } from "../operator/observed-kinds.ts";
import { OperatorPlanner } from "../operator/planner.ts";
import type { OperatorSettings } from "../operator/settings.ts";
import type { ClusterView } from "./cluster-view.ts";

/** A cluster's objects at one moment, and what the operator makes of them. */
export interface ClusterPlan {
  readonly settings: OperatorSettings;
  /** By name. */
  readonly nodes: readonly ClusterNode[];
  readonly communities: readonly Community[];
  /** Names of the objects of clusters. */
  readonly clusters: readonly string[];
  readonly planner: OperatorPlanner;
  /** What connectors say of whom they hold, by their nodes' names. FabEdge's say nothing. */
  readonly publications: readonly ConnectorPublication[];
  /** By the edges' endpoint names. */
  readonly holders: ReadonlyMap<string, EdgeHolder>;
}

const PUBLICATION_DECODER: ObjectDecoder<ConnectorPublication> = { resource: CONFIG_MAPS, decode: parsePublication };

export async function planCluster(settings: OperatorSettings, cluster: ClusterView): Promise<ClusterPlan> {
  const kinds = observedKinds(settings);
  const list = async <K extends keyof OperatorObjects>(kind: K) => {
    const entries = await cluster.entries<OperatorObjects[K]>(kinds[kind]);
    return [...entries].map(([key, value]) => ({ kind, key, value }) as PlanChange);
  };
  const pods = async () => {
    const entries = await cluster.entries(POD_DECODER, agentPods(settings.namespace));
    return [...entries].map(([key, value]): PlanChange => ({ kind: "AgentPod", key, value }));
  };
  const lists = [list("Node"), list("Community"), list("Cluster"), pods()];
  if (settings.cni === "calico") lists.push(list("IPAMBlock"));
  const [objects, publications] = await Promise.all([Promise.all(lists), listPublications(settings, cluster)]);
  return planObjects(settings, objects.flat(), publications);
}

/** Whoever may not read them sees everything else. */
async function listPublications(
  { namespace }: OperatorSettings,
  cluster: ClusterView,
): Promise<readonly ConnectorPublication[]> {
  try {
    return await cluster.list(PUBLICATION_DECODER, { namespace, labelSelector: CONNECTOR_LABEL });
  } catch (error) {
    if (errorCode(error) === "KUBE_FORBIDDEN") return [];
    throw error;
  }
}

/** @param objects everything there is */
export function planObjects(
  settings: OperatorSettings,
  objects: readonly PlanChange[],
  publications: readonly ConnectorPublication[] = [],
): ClusterPlan {
  const byName = <T extends { readonly name: string }>(values: readonly T[]) =>
    values.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    settings,
    nodes: byName(objects.flatMap((each) => (each.kind === "Node" && each.value) || [])),
    communities: byName(objects.flatMap((each) => (each.kind === "Community" && each.value) || [])),
    clusters: objects
      .filter(({ kind }) => kind === "Cluster")
      .map(({ key }) => key)
      .sort(),
    planner: new OperatorPlanner(settings, objects),
    publications: publications.toSorted((a, b) => (a.node < b.node ? -1 : 1)),
    holders: planHolders(publications),
  };
}
