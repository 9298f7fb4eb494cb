import { Set as ASN1Set, ObjectIdentifier, PrintableString, Sequence, Utf8String } from "asn1js";
import { RelativeDistinguishedNames } from "pkijs";

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

/** "C=CN, O=fabedge.io, CN=beijing.edge1": an IKE identity as it is written. */
export function formatDistinguishedName({ country, organization, commonName }: DistinguishedName): string {
  const parts = [
    ["C", country],
    ["O", organization],
    ["CN", commonName],
  ];
  return parts.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`])).join(", ");
}

export function encodeDistinguishedName(name: DistinguishedName): RelativeDistinguishedNames {
  const attributes = (["country", "organization", "commonName"] as const).flatMap((key) => {
    const value = name[key];
    if (value === undefined) return [];
    const text = PRINTABLE.test(value) ? new PrintableString({ value }) : new Utf8String({ value });
    return [new ASN1Set({ value: [new Sequence({ value: [new ObjectIdentifier({ value: OIDS[key] }), text] })] })];
  });
  // Encoded first: of values, pkijs would make one name with three attributes, which is another name.
  return RelativeDistinguishedNames.fromBER(new Sequence({ value: attributes }).toBER());
}

/** Of `node:crypto`'s one attribute a line: "C=CN\nO=fabedge.io\nCN=beijing.edge1". */
export function parseSubjectLines(lines: string): DistinguishedName {
  const values = new Map(
    lines.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  return { country: values.get("C"), organization: values.get("O"), commonName: values.get("CN") ?? "" };
}
