import type { Log } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import { Recovery } from "../../src/kube/recovery.ts";
import { KubeWriter } from "../../src/kube/writer.ts";
import { JoinDesk } from "../join/join-desk.ts";
import { TokenSecrets } from "../join/token-secrets.ts";
import { planJoinCertificate } from "../operator/admission.ts";
import { FIELD_MANAGER } from "../operator/observed-documents.ts";
import { Operator } from "../operator/operator.ts";
import type { JoinOptions, OperatorOptions } from "../operator/operator-options.ts";
import { openCluster } from "./cluster-access.ts";
import { startHealthServer } from "./health-server.ts";
import { JoinStation, joinNames } from "./join-station.ts";
import { openLog } from "./program-log.ts";
import { SecretRegistrar } from "./secret-registrar.ts";
import { startServiceExport } from "./service-export.ts";
import type { System } from "./system.ts";

/** `selvedge-cloud operator`, until its scope closes. */
export async function startOperator(options: OperatorOptions, system: System, scope: Scope): Promise<void> {
  const { settings, kubeconfig, authoritySecret, leaseName, timing, listen, join, logLevel } = options;
  const { clock, random, hostname, newUuid } = system;
  const log = openLog(system, logLevel);
  const client = await openCluster(kubeconfig, system);
  const metrics = new Metrics("selvedge");
  const identity = `${hostname}_${newUuid()}`;
  const recovery = new Recovery(clock, random, scope);
  const parts = { client, settings, identity, newEventSuffix: newUuid, recovery, clock, random, log };
  const exporter = startServiceExport(parts, scope);
  const onTerm = (term: AbortSignal) => exporter.lead(term);
  const operator = new Operator({ ...parts, authoritySecret, leaseName, timing, metrics, onTerm }, scope);
  // One that follows is ready as one that leads.
  const notReady = () => {
    const { planned, kinds } = operator.status;
    const missing = kinds.filter(({ synced }) => !synced).map(({ kind }) => kind);
    return planned ? undefined : `not read yet: ${missing.join(", ")}`;
  };
  const url = startHealthServer({ listen, notReady, metrics }, scope);
  log.info("operator.started", "The operator reads the cluster", { url: url.href, name: identity });
  if (join === undefined) return;
  if (settings.role === "member")
    log.warn("join.elsewhere", "Nodes join where certificates are signed: in the host cluster");
  else letNodesJoin(join, { operator, options, client, system, log }, scope);
}

interface Parts {
  readonly operator: Operator;
  readonly options: OperatorOptions;
  readonly client: Awaited<ReturnType<typeof openCluster>>;
  readonly system: System;
  readonly log: Log;
}

function letNodesJoin({ listen, addresses }: JoinOptions, parts: Parts, scope: Scope): void {
  const { operator, options, client, system, log } = parts;
  const { cluster, namespace, certificateOrganization, connector } = options.settings;
  const { clock, hash } = system;
  const tokens = new TokenSecrets(client, new KubeWriter(client, FIELD_MANAGER), namespace, clock, scope.signal);
  const registrar = new SecretRegistrar(operator, client, namespace, clock, scope.signal);
  const desk = new JoinDesk({ tokens, registrar, hash, clock, log });
  const names = planJoinCertificate(
    cluster,
    certificateOrganization,
    joinNames([...connector.publicAddresses, ...addresses]),
  );
  new JoinStation({ listen, names, signer: () => operator.signer, desk, clock, log }, scope);
}
