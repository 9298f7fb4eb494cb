import type { DecodeError } from "../../src/base/result.ts";
import type { SecretText } from "../../src/base/secret-text.ts";
import { judgeName, type ReadCredentials, readCredentials } from "../../src/certificate/fabric-credentials.ts";
import type { CertificateTexts, FabricIdentity } from "../../src/network/fabric-identity.ts";
import type { NodeConfig } from "../../src/network/node-config.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import type { IdentityFinding } from "./finding.ts";
import { judgeTimes } from "./validity.ts";

/** Credentials as they came, and from where: "Secret fabedge/fabedge-agent-tls-e1". */
export interface CredentialOffer {
  readonly from: string;
  readonly texts: CertificateTexts;
}

/** What is there now. */
export interface IdentityState {
  /** The last that could be read. */
  readonly config: NodeConfig | undefined;
  /** The best first. */
  readonly offers: readonly CredentialOffer[];
  /** The key that the node has made itself; undefined: it has none. */
  readonly nodeKey: SecretText | undefined;
  /** Those in use. */
  readonly inUse: ReadCredentials | undefined;
  /** Milliseconds since 1970. */
  readonly wall: number;
}

export interface IdentityPlan {
  /** undefined: the node is in no fabric, as far as it has heard. */
  readonly identity: FabricIdentity | undefined;
  readonly inUse: ReadCredentials | undefined;
  readonly findings: readonly IdentityFinding[];
}

/** The best of what is there. Whatever is in use stays until something better comes: a mistake elsewhere cuts nobody off. */
export function planIdentity(state: IdentityState): IdentityPlan {
  const { config, inUse } = state;
  if (config === undefined) return { identity: undefined, inUse, findings: [] };
  const sound = planPeers(config);
  const { chosen, refusals } = chooseCredentials(state, config.endpoint);
  const credentials = chosen ?? keptCredentials(inUse, config.endpoint);
  return {
    identity: { config: sound.config, credentials: credentials?.credentials },
    inUse: credentials,
    findings: [
      ...sound.findings,
      ...credentialFindings(credentials, refusals, state),
      ...(credentials === undefined ? [] : judgeTimes(credentials, state.wall)),
    ],
  };
}

/**
 * A peer without an identity would be anybody whom the authority has signed, and two of one name would be one
 * connection: those are left out, and all others are served.
 */
function planPeers(config: NodeConfig): {
  readonly config: NodeConfig;
  readonly findings: readonly IdentityFinding[];
} {
  const names = new Set([config.endpoint.name]);
  const peers: TunnelEndpoint[] = [];
  const left: string[] = [];
  for (const peer of config.peers) {
    if (peer.id === "" || names.has(peer.name)) left.push(peer.name);
    else peers.push(peer);
    names.add(peer.name);
  }
  if (left.length === 0) return { config, findings: [] };
  const finding: IdentityFinding = {
    code: "PEERS_UNUSABLE",
    severity: "degraded",
    message: `Cannot reach ${left.length} of ${config.peers.length} peers as they have no identity or another one's name: the first is "${left[0]}"`,
    hint: "Correct tunnels.yaml where it comes from; the other peers are reached.",
  };
  return { config: { ...config, peers }, findings: [finding] };
}

interface Refusal extends DecodeError {
  readonly from: string;
}

function chooseCredentials(
  { offers, nodeKey }: IdentityState,
  endpoint: TunnelEndpoint,
): { readonly chosen: ReadCredentials | undefined; readonly refusals: readonly Refusal[] } {
  const refusals: Refusal[] = [];
  for (const { from, texts } of offers) {
    const key = texts.key ?? nodeKey;
    if (key === undefined) {
      refusals.push({ from, at: "tls.key", why: "neither there nor on this node" });
      continue;
    }
    const read = readCredentials(texts, key);
    const trouble = read.ok ? judgeName(read.value.own, endpoint) : read.error;
    if (read.ok && trouble === undefined) return { chosen: read.value, refusals };
    if (trouble !== undefined) refusals.push({ from, ...trouble });
  }
  return { chosen: undefined, refusals };
}

/** Those in use, unless the node has got another name. */
function keptCredentials(inUse: ReadCredentials | undefined, endpoint: TunnelEndpoint): ReadCredentials | undefined {
  return inUse === undefined || judgeName(inUse.own, endpoint) !== undefined ? undefined : inUse;
}

function credentialFindings(
  credentials: ReadCredentials | undefined,
  refusals: readonly Refusal[],
  { offers, config }: IdentityState,
): readonly IdentityFinding[] {
  const [first] = refusals;
  const why = first === undefined ? "there is no certificate" : `${first.from}: ${[first.at, first.why].join(": ")}`;
  if (credentials === undefined) {
    return [
      {
        code: "CREDENTIALS_MISSING",
        severity: "degraded",
        message: `Cannot prove to be "${config?.endpoint.id}", so that there are no tunnels: ${why}`,
        hint: "In host mode, run selvedge join with a token of the operator's; else see whether the operator has made the node's Secret.",
      },
    ];
  }
  if (first === undefined && offers.length > 0) return [];
  return [
    {
      code: "CREDENTIALS_UNUSABLE",
      severity: "degraded",
      message: `Cannot use the newest certificate and key, so that earlier ones are in use: ${offers.length === 0 ? "they are gone" : why}`,
      hint: "The operator makes them anew when the Secret is deleted; in host mode, run selvedge join with a new token.",
    },
  ];
}
