import { parseCertificate } from "../../src/certificate/certificate.ts";
import { formatDistinguishedName } from "../../src/certificate/distinguished-name.ts";
import { formatTable, type Paint, printable } from "../../src/cli/table.ts";
import { CREATED_BY, CREATED_BY_LABEL } from "../../src/kube/objects/created-by.ts";
import {
  type AuthorityState,
  type AuthorityStep,
  formatTime,
  planAuthority,
  trustBundle,
} from "../operator/authority-plan.ts";
import { reportAuthority } from "../operator/authority-report.ts";
import { readLeaf, readSigner, type SecretTexts, type Signer } from "../operator/certificates.ts";
import type { DesiredCertificate } from "../operator/document.ts";
import { type LeafState, planLeaf, renewAt } from "../operator/leaf-plan.ts";
import { LEAF_TEXTS_DECODER, SECRET_DECODER } from "../operator/observed-documents.ts";
import type { Problem } from "../operator/problem.ts";
import type { LeafTexts } from "../operator/secret-manifest.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { InstalledOperator } from "./installed-operator.ts";
import type { ClusterPlan } from "./planned-cluster.ts";

export interface CertificateReport {
  /** The Secret, without the namespace. */
  readonly secret: string;
  readonly kind: "authority" | "next authority" | "previous authority" | "leaf";
  readonly subject: string;
  readonly names: readonly string[];
  /** ISO 8601. */
  readonly ends: string | null;
  readonly renewal: string | null;
  readonly key: "secret" | "node" | "none";
  /** Null where it is as it should be. */
  readonly problem: string | null;
  /** Whether it can be used now. */
  readonly valid: boolean;
}

/** @throws SelvedgeError CA_INVALID */
export async function readCertificates(
  cluster: ClusterView,
  operator: InstalledOperator,
  plan: ClusterPlan,
  wall: number,
): Promise<{ readonly reports: readonly CertificateReport[]; readonly problems: readonly Problem[] }> {
  const { authoritySecret, settings } = operator.options;
  const selection = { namespace: cluster.namespace, labelSelector: `${CREATED_BY_LABEL}=${CREATED_BY}` };
  const [authority, leaves] = await Promise.all([
    settings.role === "host" ? cluster.get(SECRET_DECODER, authoritySecret) : undefined,
    cluster.entries(LEAF_TEXTS_DECODER, selection),
  ]);
  const signer = readSigner(authority);
  const leftNodes = plan.planner.leftNodes();
  const problems = signer === undefined ? [] : reportAuthority(signer.state, leftNodes, wall);
  return {
    reports: [
      ...(signer === undefined ? [] : reportAuthorities(authoritySecret, signer.state, leftNodes.length > 0, wall)),
      ...reportLeaves(plan, leaves, signer, wall),
    ],
    problems,
  };
}

export function reportAuthorities(
  secret: string,
  state: AuthorityState,
  held: boolean,
  wall: number,
): readonly CertificateReport[] {
  const step = planAuthority(state, wall, held);
  const { current, next, previous } = state;
  return (
    [
      ["authority", current, "secret"],
      ["next authority", next, "secret"],
      ["previous authority", previous, "none"],
    ] as const
  ).flatMap(([kind, certificate, key]) => {
    if (certificate === undefined) return [];
    const valid = wall >= certificate.notBefore && wall < certificate.notAfter;
    const report: CertificateReport = {
      secret,
      kind,
      subject: formatDistinguishedName(certificate.subject),
      names: [],
      ends: formatTime(certificate.notAfter),
      renewal: null,
      key,
      problem: problemOf(kind, step, valid),
      valid,
    };
    return [report];
  });
}

function problemOf(kind: CertificateReport["kind"], step: AuthorityStep, valid: boolean): string | null {
  if (kind === "authority" && step.step !== "keep") return `${step.step}: ${step.why}`;
  return kind === "previous authority" && !valid ? "it has ended" : null;
}

/** Those that are planned, and those that are there without being planned. */
export function reportLeaves(
  { planner }: ClusterPlan,
  leaves: ReadonlyMap<string, LeafTexts>,
  signer: Signer | undefined,
  wall: number,
): readonly CertificateReport[] {
  const planned = new Map<string, DesiredCertificate | undefined>();
  for (const document of planner.keys()) {
    if (!document.startsWith("Secret/")) continue;
    const desired = planner.document(document);
    const object = desired.state === "present" && desired.object.kind === "Secret" ? desired.object : undefined;
    planned.set(document.slice("Secret/".length), object);
  }
  return [...new Set([...planned.keys(), ...leaves.keys()])].sort().map((key) => {
    const [texts, wanted] = [leaves.get(key), planned.get(key)];
    const state = texts === undefined ? undefined : stateOf(texts, signer);
    const why = judge(wanted, planned.has(key), state, signer, wall);
    return reportLeaf(key.slice(key.indexOf("/") + 1), wanted, state, why, wall);
  });
}

/** A cluster that signs nothing itself still has certificates. */
function stateOf({ texts, keyIsOnNode }: LeafTexts, signer: Signer | undefined): LeafState {
  if (signer !== undefined) return readLeaf(texts, keyIsOnNode, signer);
  const parsed = parseCertificate(texts["tls.crt"] ?? "");
  return {
    certificate: parsed.ok ? parsed.value : undefined,
    bundle: texts["ca.crt"] ?? "",
    key: keyIsOnNode ? "node" : hasKey(texts) ? "secret" : "none",
    signedByCurrent: true,
  };
}

function hasKey(texts: SecretTexts): boolean {
  return (texts["tls.key"] ?? "") !== "";
}

function judge(
  wanted: DesiredCertificate | undefined,
  isPlanned: boolean,
  state: LeafState | undefined,
  signer: Signer | undefined,
  wall: number,
): string | undefined {
  if (!isPlanned) return "nobody needs it any more";
  if (wanted === undefined) return "its node cannot be used now";
  const bundle = signer === undefined ? (state?.bundle ?? "") : trustBundle(signer.state);
  const step = planLeaf(wanted, state, bundle, wall);
  if (step.step === "keep") return undefined;
  return step.step === "issue" ? step.why : "it does not name the authorities of now";
}

function reportLeaf(
  secret: string,
  wanted: DesiredCertificate | undefined,
  state: LeafState | undefined,
  problem: string | undefined,
  wall: number,
): CertificateReport {
  const certificate = state?.certificate;
  const name = wanted?.commonName ?? certificate?.subject.commonName ?? "";
  return {
    secret,
    kind: "leaf",
    subject: certificate === undefined ? name : formatDistinguishedName(certificate.subject),
    names: certificate === undefined ? [] : [...certificate.dnsNames, ...certificate.addresses],
    ends: certificate === undefined ? null : formatTime(certificate.notAfter),
    renewal: certificate === undefined ? null : formatTime(renewAt(certificate, name)),
    key: state?.key ?? "none",
    problem: problem ?? null,
    valid:
      certificate !== undefined &&
      wall >= certificate.notBefore &&
      wall < certificate.notAfter &&
      state?.key !== "none" &&
      state?.signedByCurrent === true,
  };
}

export function formatCertificates(reports: readonly CertificateReport[], paint: Paint): string {
  const rows = reports.map(({ secret, kind, subject, names, ends, renewal, key, problem, valid }) => [
    secret,
    kind,
    subject || "-",
    names.join(",") || "-",
    day(ends),
    day(renewal),
    key,
    problem === null ? paint("green", "none") : paint(valid ? "yellow" : "red", printable(problem)),
  ]);
  return formatTable(["SECRET", "KIND", "SUBJECT", "NAMES", "ENDS", "RENEWAL", "KEY", "PROBLEM"], rows);
}

function day(time: string | null): string {
  return time?.slice(0, 10) ?? "-";
}
