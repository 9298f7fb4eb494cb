import { errorText } from "../../src/base/errors.ts";
import type { Condition } from "../../src/base/health.ts";
import type { DecodeError } from "../../src/base/result.ts";
import type { CharonState } from "../../src/strongswan/tunnel-state.ts";
import type { FabricState } from "./fabric.ts";
import type { ConnectorFacts } from "./facts.ts";

/** What a connector's conditions are judged by. */
export interface ConnectorView {
  /** It has only just begun: what it has not heard of yet may still come. */
  readonly isStarting: boolean;
  readonly facts: ConnectorFacts;
  readonly credentialTrouble: DecodeError | undefined;
  readonly charon: CharonState;
  /** undefined: nothing has been written yet. */
  readonly fabric: FabricState | undefined;
  readonly hasEsp: boolean;
  /** Families of packets that the kernel does not pass on, although there are pods of them. */
  readonly notForwarded: readonly string[];
  readonly publishing: { readonly failure: unknown; readonly isWhole: boolean };
}

export type ConnectorFinding = Omit<Condition, "since" | "component"> & {
  readonly code: (typeof CONNECTOR_CODES)[number];
};

export const CONNECTOR_CODES = [
  "CONNECTOR_UNCONFIGURED",
  "CONNECTOR_UNCERTIFIED",
  "CONNECTOR_WITHOUT_CHARON",
  "CONNECTOR_ROUTES",
  "CONNECTOR_WITHOUT_ESP",
  "CONNECTOR_NOT_FORWARDING",
  "FORWARD_DROPPED",
  "CONNECTOR_UNHEARD",
  "CONNECTOR_OVERFULL",
] as const;

/** So many of a list are named to a person. */
const NAMED = 5;

export function judgeConnector(view: ConnectorView): readonly ConnectorFinding[] {
  const { fabric, publishing } = view;
  return [
    ...(view.isStarting ? [] : judgeBeginnings(view)),
    ...(fabric === undefined ? [] : judgeRoutes(fabric)),
    ...(fabric === undefined || fabric.dropping.length === 0 ? [] : [dropped(fabric.dropping)]),
    ...(view.hasEsp || view.isStarting ? [] : [WITHOUT_ESP]),
    ...(view.notForwarded.length === 0 ? [] : [notForwarding(view.notForwarded)]),
    ...(publishing.failure === undefined ? [] : [unheard(publishing.failure)]),
    ...(publishing.isWhole ? [] : [OVERFULL]),
  ];
}

const UNCONFIGURED: ConnectorFinding = {
  code: "CONNECTOR_UNCONFIGURED",
  severity: "failed",
  message: "Cannot let edges in as nothing was ever heard of ConfigMap connector-config",
  hint: "See that the operator runs and leads, and that this connector reaches the API server.",
};

const WITHOUT_ESP: ConnectorFinding = {
  code: "CONNECTOR_WITHOUT_ESP",
  severity: "failed",
  message: "Cannot carry packets of edges as the kernel of this node does no IPsec: it lacks xfrm_user or esp4",
  hint: "Load or build xfrm_user, esp4 and esp6, or label another node as the connector.",
};

const OVERFULL: ConnectorFinding = {
  code: "CONNECTOR_OVERFULL",
  severity: "degraded",
  message: "Cannot tell the cluster of all edges as one ConfigMap does not hold them: what was told before stays",
  hint: "Label another node as a connector and name its address among the connectors' public addresses.",
};

function judgeBeginnings(view: ConnectorView): readonly ConnectorFinding[] {
  const { facts, charon } = view;
  return [
    ...(facts.config === undefined ? [UNCONFIGURED] : judgeCredentials(view)),
    ...(charon.phase === "connected" ? [] : [withoutCharon(charon)]),
  ];
}

function judgeCredentials({ facts, credentialTrouble, charon }: ConnectorView): readonly ConnectorFinding[] {
  const about = {
    code: "CONNECTOR_UNCERTIFIED",
    hint: "See the operator's log and conditions; it writes Secret connector-tls, and renews it by itself.",
  } as const;
  if (facts.credentials === undefined || credentialTrouble !== undefined) {
    const severity = facts.credentials === undefined ? "failed" : "degraded";
    const why =
      credentialTrouble === undefined
        ? "it was never heard"
        : `${credentialTrouble.at} in it is wrong: ${credentialTrouble.why}`;
    const message = `Cannot prove who this connector is by Secret connector-tls as ${why}`;
    return [{ ...about, severity, message }];
  }
  if (charon.phase !== "connected" || charon.failure === undefined) return [];
  const message = `Cannot prove who this connector is as charon does not take its credentials: ${charon.failure}`;
  return [{ ...about, severity: "failed", message }];
}

function withoutCharon({ phase, failure }: CharonState): ConnectorFinding {
  return {
    code: "CONNECTOR_WITHOUT_CHARON",
    severity: "failed",
    message: `Cannot let edges in as charon is ${phase}: ${failure ?? "it was not reached yet"}`,
    hint: "See the log of the container strongswan; what its kernel carries goes on meanwhile.",
  };
}

function judgeRoutes({ blocked, failures }: FabricState): readonly ConnectorFinding[] {
  const [first] = failures;
  if (blocked.length === 0 && first === undefined) return [];
  const why =
    first === undefined
      ? `another program has routes to the same networks in tables 220 and 221: ${some(blocked)}`
      : `the kernel refused ${failures.length} of them: ${errorText(first)}`;
  return [
    {
      code: "CONNECTOR_ROUTES",
      severity: "degraded",
      message: `Cannot write all routes to edges as ${why}`,
      hint: "Look with ip route show table 220. Remove what another program has left there, FabEdge's connector perhaps.",
    },
  ];
}

function dropped(chains: readonly string[]): ConnectorFinding {
  return {
    code: "FORWARD_DROPPED",
    severity: "degraded",
    message: `Cannot be sure that packets of edges pass as another program drops what is forwarded, and no rule of its own surely lets them pass both ways: ${some(chains)}`,
    hint: "Let the pods' networks pass there: rules in DOCKER-USER, ufw route allow, or sources of firewalld's zone trusted.",
  };
}

function notForwarding(families: readonly string[]): ConnectorFinding {
  return {
    code: "CONNECTOR_NOT_FORWARDING",
    severity: "degraded",
    message: `Cannot pass packets on as the kernel of this node is told not to: current value is 0 for ${families.join(", ")}`,
    hint: "Set the named settings to 1 on the node, as kubelet and the pod network expect them.",
  };
}

function unheard(failure: unknown): ConnectorFinding {
  return {
    code: "CONNECTOR_UNHEARD",
    severity: "degraded",
    message: `Cannot tell the cluster whom this connector holds: ${errorText(failure)}`,
    hint: "Cloud nodes go on with what they know. See that this connector reaches the API server, and what its account may do.",
  };
}

function some(texts: readonly string[]): string {
  const more = texts.length - NAMED;
  return `${texts.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
