import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import { parseIp } from "../../src/base/ip.ts";
import type { CheckResult, Trouble } from "../../src/cli/check-report.ts";
import { parseJson } from "../../src/kube/json-view.ts";
import { parseLease } from "../../src/kube/lease.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { NAME_LENGTH_MAX } from "../../src/kube/objects/metadata.ts";
import { LEASES } from "../../src/kube/resource.ts";
import { nameFew } from "../operator/named-few.ts";
import { endpointName } from "../operator/object-names.ts";
import type { Problem } from "../operator/problem.ts";
import { type CertificateReport, readCertificates } from "./certificate-report.ts";
import type { ClusterView } from "./cluster-view.ts";
import { checkDefinitions } from "./definition-check.ts";
import { findOperator, type InstalledOperator } from "./installed-operator.ts";
import { formatPermission, isAllowed, operatorPermissions } from "./permissions.ts";
import { type ClusterPlan, planCluster } from "./planned-cluster.ts";

const LEASE_DECODER: ObjectDecoder<{ readonly holder: string; readonly renewTime: string }> = {
  resource: LEASES,
  decode: (json) => {
    const lease = parseLease(json);
    return lease.ok ? { ok: true, value: lease.value.record } : lease;
  },
};

/**
 * Everything, one after the other: what a step needs and has not got ends the check, and the result says so.
 *
 * @param installationOnly not what people have put into the cluster since
 */
export async function checkCluster(
  cluster: ClusterView,
  wall: number,
  installationOnly = false,
): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  try {
    results.push(await checkServer(cluster));
    results.push(...(await checkDefinitions(cluster)));
    const operator = await findOperator(cluster);
    const { kind, name } = operator.workload;
    results.push(good("operator", `${kind} ${name} has readable settings, image ${operator.image}`));
    results.push(...(await checkPermissions(cluster, operator)));
    results.push(await checkLeader(cluster, operator, wall));
    if (installationOnly) return results;
    const plan = await planCluster(operator.options.settings, cluster);
    results.push(...judgeUnreadable(cluster), ...judgeConnector(plan), ...judgePlan(plan), ...judgeHolders(plan));
    const { reports, problems } = await readCertificates(cluster, operator, plan, wall);
    results.push(...judgeCertificates(reports, problems, operator.options));
  } catch (error) {
    const hint = error instanceof SelvedgeError ? (error.hint ?? "") : "";
    results.push(
      bad({ component: "check", code: errorCode(error), severity: "failed", message: errorText(error), hint }),
    );
  }
  return results;
}

async function checkServer(cluster: ClusterView): Promise<CheckResult> {
  const version = parseJson(await cluster.ask("/version"), (answer) =>
    answer.field("gitVersion").optionalString(NAME_LENGTH_MAX),
  );
  return good("api", `${cluster.url} answers: Kubernetes ${(version.ok && version.value) || "of an unknown version"}`);
}

async function checkPermissions(
  cluster: ClusterView,
  { options, workload }: InstalledOperator,
): Promise<readonly CheckResult[]> {
  const wanted = operatorPermissions(options);
  const ask = async (account: string | undefined) =>
    await Promise.all(wanted.map((permission) => isAllowed(cluster, permission, account)));
  // A person is not who the operator is; the operator's account may ask for itself only.
  const answers = await ask(workload.serviceAccount).catch((error) => {
    if (errorCode(error) === "KUBE_FORBIDDEN") return ask(undefined);
    throw error;
  });
  const refused = wanted.filter((_, i) => answers[i] !== true).map(formatPermission);
  if (refused.length === 0) return [good("rbac", `the operator has its ${wanted.length} permissions`)];
  const message = `Cannot let the operator work as its account ${workload.serviceAccount} may not ${nameFew(refused)}`;
  const hint = "Apply the chart's ClusterRole and Roles of the operator's version.";
  return [bad({ component: "rbac", code: "PERMISSION_MISSING", severity: "failed", message, hint })];
}

async function checkLeader(cluster: ClusterView, { options }: InstalledOperator, wall: number): Promise<CheckResult> {
  const lease = await cluster.get(LEASE_DECODER, options.leaseName);
  const age = wall - Date.parse(lease?.renewTime ?? "");
  // Clocks of two machines are not the same; a leader that works renews every two seconds.
  if (lease !== undefined && lease.holder !== "" && age < 2 * options.timing.leaseDuration) {
    return good("leader", `${lease.holder} leads`);
  }
  const since = lease?.renewTime === undefined ? "never renewed" : `last renewed ${lease.renewTime}`;
  return bad({
    component: "leader",
    code: "LEADER_MISSING",
    severity: "failed",
    message: `Cannot keep nodes up to date as nobody leads: Lease ${options.leaseName} is ${lease === undefined ? "not there" : since}`,
    hint: "See whether the operator's pods run, and their log; what nodes have goes on working.",
  });
}

function judgeUnreadable({ rejected }: ClusterView): readonly CheckResult[] {
  return rejected.map(({ kind, key, at, why }) =>
    bad({
      component: kind.toLowerCase(),
      code: "OBJECT_UNREADABLE",
      severity: "degraded",
      message: `Cannot read ${kind} ${key ?? ""} as ${at === "" ? "it" : at} is wrong: ${why}`,
      hint: "Correct the field; until then the operator goes by what the object said before.",
    }),
  );
}

export function judgeConnector({ planner }: ClusterPlan): readonly CheckResult[] {
  const { publicAddresses, nodeSubnets } = planner.connector;
  const results: CheckResult[] = [];
  const local = publicAddresses.filter(isOfNoUse);
  if (local.length > 0) {
    results.push(
      bad({
        component: "connect",
        code: "CONNECTOR_ADDRESS",
        severity: local.length === publicAddresses.length ? "failed" : "degraded",
        message: `Cannot reach the connector at ${nameFew(local)} from elsewhere`,
        hint: "Set --connector-public-addresses to addresses or names that edge nodes can reach.",
      }),
    );
  }
  if (nodeSubnets.length === 0) {
    results.push(
      bad({
        component: "connect",
        code: "CONNECTOR_EMPTY",
        severity: "degraded",
        message: "Cannot lead edge nodes to any cloud node as none has an address and a pod network",
        hint: "See that nodes of the cloud have an InternalIP and pod CIDRs, and that not all nodes have the edge labels.",
      }),
    );
  }
  if (results.length > 0) return results;
  return [good("connect", `the connector is at ${publicAddresses.join(", ")}, with ${nodeSubnets.length} cloud nodes`)];
}

/** Loopback, link-local and unspecified addresses (RFC 6890). A name may lead anywhere. */
function isOfNoUse(address: string): boolean {
  const ip = parseIp(address);
  if (!ip.ok) return address === "localhost" || address.endsWith(".localhost");
  return /^(?:127\.|169\.254\.|0\.0\.0\.0$|::1?$|fe[89ab])/.test(ip.value);
}

export function judgePlan({ planner, nodes, communities, clusters }: ClusterPlan): readonly CheckResult[] {
  const subjects = [
    ...nodes.map(({ name }) => `Node/${name}` as const),
    ...communities.map(({ name }) => `Community/${name}` as const),
    ...clusters.map((name) => `Cluster/${name}` as const),
  ];
  const troubles = subjects.flatMap((subject) =>
    planner.problems(subject).map((problem) => bad({ component: "plan", ...problem })),
  );
  const edges = nodes.filter(({ name }) => planner.edge(name) !== undefined).length;
  if (troubles.some((result) => !result.ok && result.severity !== "info")) return troubles;
  const what = `${edges} edge nodes, ${nodes.length - edges} others, ${communities.length} communities, ${clusters.length} clusters`;
  return [good("plan", `nothing is wrong with ${what}`), ...troubles];
}

/** Which edges are connected, as far as connectors say. An edge that is switched off is no trouble of the cluster's. */
export function judgeHolders({ planner, settings, nodes, publications, holders }: ClusterPlan): readonly CheckResult[] {
  const edges = nodes
    .filter(({ name }) => planner.edge(name)?.endpoint !== undefined)
    .map(({ name }) => endpointName(settings.cluster, name));
  if (edges.length === 0 || publications.length === 0) return [];
  const away = edges.filter((edge) => !holders.has(edge));
  if (away.length === 0) {
    const at = publications.map(({ node }) => node).join(", ");
    return [good("tunnels", `all ${edges.length} edge nodes are connected, to ${at}`)];
  }
  return [
    bad({
      component: "tunnels",
      code: "EDGES_AWAY",
      severity: away.length === edges.length ? "degraded" : "info",
      message: `Cannot see ${away.length} of ${edges.length} edge nodes at any connector: ${nameFew(away)}`,
      hint: "See selvedge tunnels on such a node, if it runs.",
    }),
  ];
}

export function judgeCertificates(
  reports: readonly CertificateReport[],
  problems: readonly Problem[],
  { settings, authoritySecret }: Pick<InstalledOperator["options"], "settings" | "authoritySecret">,
): readonly CheckResult[] {
  const authority = reports.find(({ kind }) => kind === "authority");
  const results: CheckResult[] = problems.map((problem) => bad({ component: "certs", ...problem }));
  if (authority === undefined && settings.role === "host") {
    results.push(
      bad({
        component: "certs",
        code: "AUTHORITY_MISSING",
        severity: "failed",
        message: `Cannot issue certificates as Secret ${authoritySecret} holds no authority`,
        hint: "Wait until an operator leads: it makes the authority.",
      }),
    );
  }
  for (const { kind, secret, subject, problem, valid } of reports) {
    // What became of the one before is among the problems.
    if (problem === null || kind === "previous authority") continue;
    results.push(
      bad({
        component: "certs",
        code: "CERTIFICATE_DUE",
        severity: valid ? "info" : kind === "leaf" ? "degraded" : "failed",
        message: `${kind === "leaf" ? "The certificate" : `The ${kind}`} ${subject} in Secret ${secret} is due to change: ${problem}`,
        hint: "A leading operator does it by itself within a minute; if it stays, see its log.",
      }),
    );
  }
  if (results.some((result) => !result.ok && result.severity !== "info")) return results;
  const leaves = reports.filter(({ kind }) => kind === "leaf").length;
  const until = authority === undefined ? "" : `, the authority until ${authority.ends?.slice(0, 10)}`;
  return [good("certs", `${leaves} certificates are as they should be${until}`), ...results];
}

function good(component: string, message: string): CheckResult {
  return { ok: true, component, message };
}

function bad(trouble: Trouble): CheckResult {
  return { ok: false, ...trouble };
}
