import { DER, encodeDer, encodeObjectIdentifier } from "../wire/der.ts";

/** The attributes that names of nodes are made of (RFC 4519 section 2), outermost first, as FabEdge orders them. */
export interface DistinguishedName {
  readonly country: string | undefined;
  readonly organization: string | undefined;
  readonly commonName: string;
}

/** RFC 5280 appendix A.1: id-at 2.5.4. */
const OIDS = { country: "2.5.4.6", organization: "2.5.4.10", commonName: "2.5.4.3" } as const;
/** X.680 section 41.4: what a PrintableString may hold. Peers compare names by their encoding: be as others are. */
const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/;
const UTF8 = new TextEncoder();

/** "C=CN, O=fabedge.io, CN=beijing.edge1": an IKE identity as it is written. */
export function formatDistinguishedName({ country, organization, commonName }: DistinguishedName): string {
  const parts = [
    ["C", country],
    ["O", organization],
    ["CN", commonName],
  ];
  return parts.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`])).join(", ");
}

/** @returns DER of Name (RFC 5280 section 4.1.2.4): one attribute in each of its sets */
export function encodeDistinguishedName(name: DistinguishedName): Uint8Array<ArrayBuffer> {
  const sets = (["country", "organization", "commonName"] as const).flatMap((key) => {
    const value = name[key];
    if (value === undefined) return [];
    const text = encodeDer(PRINTABLE.test(value) ? DER.printableString : DER.utf8String, UTF8.encode(value));
    return [encodeDer(DER.set, encodeDer(DER.sequence, encodeObjectIdentifier(OIDS[key]), text))];
  });
  return encodeDer(DER.sequence, ...sets);
}

/** Of `node:crypto`'s one attribute a line: "C=CN\nO=fabedge.io\nCN=beijing.edge1". */
export function parseSubjectLines(lines: string): DistinguishedName {
  const values = new Map(
    lines.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  return { country: values.get("C"), organization: values.get("O"), commonName: values.get("CN") ?? "" };
}
