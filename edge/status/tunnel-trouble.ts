import type { TunnelTrouble } from "../../src/network/tunnel-report.ts";
import type { TunnelFacts } from "./tunnel-facts.ts";

type Words = Pick<TunnelTrouble, "code" | "hint">;

/** What charon says when it fails (RFC 7296 section 3.10.1 has the notifies), and what a person can do. */
const REASONS: readonly (readonly [pattern: RegExp, words: Words])[] = [
  [
    /AUTHENTICATION_FAILED/i,
    {
      code: "TUNNEL_REFUSED",
      hint: "The peer does not know this node, or does not trust its certificate: see that both are in one community and have authorities in common, and that the peer's clock is right.",
    },
  ],
  [
    /no trusted|no issuer|certificate .*(?:invalid|expired|revoked)|constraint check failed|signature validation failed|no private key/i,
    {
      code: "TUNNEL_UNTRUSTED",
      hint: "This node does not trust the peer's certificate: see that both have authorities in common, and that this node's clock is right.",
    },
  ],
  [
    /NO_PROPOSAL_CHOSEN|NO_PROP|no (?:matching|acceptable) proposal|INVALID_KE/i,
    {
      code: "TUNNEL_PROPOSALS",
      hint: "The two ends have no cipher in common: see which crypto plugins the peer's charon has.",
    },
  ],
  [
    /TS_UNACCEPTABLE|TS_UNACCEPT|traffic selectors/i,
    {
      code: "TUNNEL_SELECTORS",
      hint: "The peer has other subnets on record for one of the two: it passes when the newest configuration has come to both.",
    },
  ],
  [
    /resolv/i,
    {
      code: "TUNNEL_ADDRESS_UNKNOWN",
      hint: "See that the peer's public address is right, and that this node can resolve it while the tunnel is down.",
    },
  ],
  [
    /giving up|not responding|after timeout|unreachable/i,
    {
      code: "TUNNEL_UNANSWERED",
      hint: "See that the peer runs, and that UDP 500 and 4500 (or the port of its own) come through to its public address.",
    },
  ],
];

/** Why a tunnel is not up. The nearest cause speaks: without charon nothing else counts. */
export function explainTunnel(facts: TunnelFacts): TunnelTrouble {
  const { peer, charon, state, hasCredentials, own } = facts;
  if (charon.phase !== "connected") {
    return {
      code: charon.phase === "silent" ? "CHARON_SILENT" : "CHARON_ABSENT",
      message: `Cannot reach ${peer.name} as charon ${charon.phase === "silent" ? "does not answer" : "is not there"}: ${charon.failure ?? "it is looked for"}`,
      hint: "Install strongSwan (Debian: charon-systemd), and see systemctl status selvedge-charon.",
    };
  }
  if (!hasCredentials) {
    return {
      code: "CREDENTIALS_MISSING",
      message: `Cannot reach ${peer.name} as this node cannot prove to be "${own.id}"`,
      hint: "See the condition CREDENTIALS_MISSING in selvedge status.",
    };
  }
  if (state?.failure !== undefined) return explainFailure(peer.name, state.failure.text);
  return explainPhase(facts);
}

function explainFailure(peer: string, text: string): TunnelTrouble {
  const words = REASONS.find(([pattern]) => pattern.test(text))?.[1] ?? {
    code: "TUNNEL_FAILED",
    hint: "These are charon's own words; see its log (journalctl -u selvedge-charon) for what led to them.",
  };
  return { ...words, message: `Cannot reach ${peer} through its tunnel: ${text}` };
}

function explainPhase({ peer, state }: TunnelFacts): TunnelTrouble {
  const { name } = peer;
  switch (state?.phase) {
    case "partial":
      return {
        code: "TUNNEL_PARTIAL",
        message: `Cannot reach all of ${name}: ${state.missingChildren.join(", ")} are not installed`,
        hint: "They are tried again; see charon's log (journalctl -u selvedge-charon) if it stays.",
      };
    case "waiting":
      return {
        code: "TUNNEL_WAITING",
        message: `Cannot reach ${name} before it comes: it has no public address`,
        hint: "See that the peer runs and reaches this node.",
      };
    default:
      return {
        code: "TUNNEL_STARTING",
        message: `Cannot reach ${name} yet: its tunnel is ${state?.phase === "connecting" ? "being negotiated" : "about to be negotiated"}`,
        hint: "Nothing: it takes a second or two.",
      };
  }
}
