import { errorCode } from "../../src/base/errors.ts";
import type { CheckResult, Trouble } from "../../src/cli/check-report.ts";
import { parseJson } from "../../src/kube/json-view.ts";
import { NAME_LENGTH_MAX } from "../../src/kube/objects/metadata.ts";
import { apiVersion, GLOBAL_SERVICES } from "../../src/kube/resource.ts";
import clusters from "../crds/clusters.yaml";
import communities from "../crds/communities.yaml";
import { nameFew } from "../operator/named-few.ts";
import type { ClusterView } from "./cluster-view.ts";
import { planSchemaGaps, type Schema } from "./schema-gaps-plan.ts";

/** Resources of one API group's version; ours has four. */
const RESOURCES_MAX = 1024;
const GROUP = "apis/fabedge.io/v1alpha1";
const EXPORTS = `apis/${apiVersion(GLOBAL_SERVICES)}`;
const HINT = "Apply the files of cloud/crds, or install the chart with its crds/.";

/** As far as a definition is looked at here. */
interface Definition {
  readonly spec: {
    readonly names: { readonly kind: string; readonly plural: string };
    readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: Schema } }];
  };
}

/** As cloud/crds has them. */
const DEFINITIONS = [communities, clusters] as readonly Definition[];

/** Whether the definitions are those of this version. Everybody may ask for what is looked at here. */
export async function checkDefinitions(cluster: ClusterView): Promise<readonly CheckResult[]> {
  const [served, exports] = [await servedNames(cluster, GROUP), await servedNames(cluster, EXPORTS)];
  // From Kubernetes 1.24 on; before, only the names tell.
  const document = await askIfThere(cluster, `/openapi/v3/${GROUP}`);
  return [...judgeDefinitions(served, document), ...judgeExports(exports)];
}

/** Any version of it will do: what is written is what FabEdge's has as well. */
export function judgeExports(served: ReadonlySet<string>): readonly CheckResult[] {
  if (served.has(GLOBAL_SERVICES.plural)) return [];
  const message = `Cannot export Services to other clusters as ${apiVersion(GLOBAL_SERVICES)} is not installed`;
  return [bad({ code: "CRD_MISSING", severity: "degraded", message })];
}

async function servedNames(cluster: ClusterView, group: string): Promise<ReadonlySet<string>> {
  const answer = await askIfThere(cluster, `/${group}`);
  const names = parseJson(answer, (list) =>
    list.field("resources").list(RESOURCES_MAX, (each) => each.field("name").string(NAME_LENGTH_MAX)),
  );
  return new Set(names.ok ? names.value : []);
}

/**
 * @param served names of the group's resources, as discovery gives them
 * @param document the group's OpenAPI document; undefined where the server has none
 */
export function judgeDefinitions(served: ReadonlySet<string>, document: unknown): readonly CheckResult[] {
  const plurals = DEFINITIONS.map(({ spec }) => spec.names.plural);
  const missing = plurals.filter((plural) => !served.has(plural));
  if (missing.length > 0) {
    const message = `Cannot read ${missing.join(" and ")} as fabedge.io/v1alpha1 is not installed`;
    return [bad({ code: "CRD_MISSING", severity: "failed", message })];
  }
  const old = plurals.filter((plural) => !served.has(`${plural}/status`));
  if (old.length > 0) {
    const message = `Cannot report the status of ${old.join(" and ")} as their definitions are FabEdge's or older`;
    return [bad({ code: "CRD_OUTDATED", severity: "degraded", message })];
  }
  const outdated = DEFINITIONS.flatMap(({ spec: { names, versions } }) => {
    const gaps = planSchemaGaps(versions[0].schema.openAPIV3Schema, servedSchema(document, names.kind));
    if (document === undefined || gaps.length === 0) return [];
    const message = `Definition of ${names.plural} is another version's: it differs in ${nameFew(gaps)}`;
    return [bad({ code: "CRD_OUTDATED", severity: "degraded", message })];
  });
  if (outdated.length > 0) return outdated;
  const component = "crds";
  return [{ ok: true, component, message: "communities and clusters of fabedge.io/v1alpha1 are this version's" }];
}

/** The API server names a custom resource's schema by its group backwards, its version and its kind. */
function servedSchema(document: unknown, kind: string): Schema {
  const schemas = (document as { components?: { schemas?: Readonly<Record<string, Schema>> } } | undefined)?.components
    ?.schemas;
  return schemas?.[`io.fabedge.v1alpha1.${kind}`] ?? {};
}

async function askIfThere(cluster: ClusterView, path: string): Promise<unknown> {
  return await cluster.ask(path).catch((error) => {
    if (errorCode(error) === "KUBE_NOT_FOUND") return undefined;
    throw error;
  });
}

function bad(trouble: Pick<Trouble, "code" | "severity" | "message">): CheckResult {
  return { ok: false, component: "crds", hint: HINT, ...trouble };
}
