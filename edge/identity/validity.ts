import { type Duration, formatDuration, hours } from "../../src/base/duration.ts";
import { formatDistinguishedName } from "../../src/certificate/distinguished-name.ts";
import type { ReadCredentials } from "../../src/certificate/fabric-credentials.ts";
import type { IdentityFinding } from "./finding.ts";

/**
 * The operator renews a leaf at two thirds of its life, so that one which comes to its last sixth has been missed; a
 * certificate of ten years, as FabEdge makes them, is worth no word before its last two weeks.
 */
const LAST_PART = 1 / 6;
const LAST_SPAN = hours(14 * 24);

const RENEW =
  "The operator renews certificates by itself: see its log and conditions, and why nothing new comes to this node.";

/**
 * What the times in the certificates say. Nothing is ever taken away for it: tunnels that are up go on until their keys
 * are renewed, and it may be the clock that is wrong.
 *
 * @param wall of this node's clock, in milliseconds since 1970
 */
export function judgeTimes({ own, signers }: ReadCredentials, wall: number): readonly IdentityFinding[] {
  const all = [own, ...signers];
  // Whoever signed did so then or later: no clock of a node that has it can be right and show less.
  const known = all.reduce((latest, { notBefore }) => Math.max(latest, notBefore), 0);
  const now = Math.max(wall, known);
  const first = all.reduce((a, b) => (b.notAfter < a.notAfter ? b : a));
  const left = first.notAfter - now;
  const last = Math.min((first.notAfter - first.notBefore) * LAST_PART, LAST_SPAN);
  const who = first === own ? "this node's certificate" : `the authority "${formatDistinguishedName(first.subject)}"`;
  const end = new Date(first.notAfter).toISOString();
  const findings: IdentityFinding[] = [];
  if (left <= 0) {
    findings.push({
      code: "CERTIFICATE_ENDED",
      severity: "degraded",
      message: `Cannot prove who this node is as ${who} ended at ${end}: tunnels that are up go on until their keys are renewed`,
      hint: `${RENEW} Check this node's clock as well.`,
    });
  } else if (left <= last) {
    findings.push({
      code: "CERTIFICATE_ENDING",
      severity: "degraded",
      message: `Cannot go on for longer than ${formatDuration(left as Duration)} as ${who} ends at ${end}`,
      hint: RENEW,
    });
  }
  if (wall < known) {
    findings.push({
      code: "CLOCK_BEHIND",
      severity: "degraded",
      message: `Cannot believe this node's clock as it shows ${new Date(wall).toISOString()}: its certificate was made at ${new Date(known).toISOString()} or later`,
      hint: "Set the clock, or let it be set (NTP): until then certificates of peers look as if they were not valid yet, and new tunnels fail.",
    });
  }
  return findings;
}
