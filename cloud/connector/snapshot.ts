import { formatPrefix, parseIp, parsePrefix } from "../../src/base/ip.ts";
import type { DecodeError, Result } from "../../src/base/result.ts";
import { SecretText } from "../../src/base/secret-text.ts";
import { type JsonView, parseJson } from "../../src/kube/json-view.ts";
import { parseJsonText } from "../../src/kube/object-reader.ts";
import { DATA_BYTES_MAX } from "../../src/kube/objects/config-map.ts";
import { type ConnectorDocument, parseConnectorText } from "../../src/kube/objects/connector-documents.ts";
import { NODE_PREFIXES_MAX, parsePublicationText } from "../../src/kube/objects/connector-publication.ts";
import { NAME_LENGTH_MAX, OPAQUE_LENGTH_MAX } from "../../src/kube/objects/metadata.ts";
import { NODE_ADDRESSES_MAX } from "../../src/kube/objects/node.ts";
import { ADDRESS_LENGTH_MAX } from "../../src/kube/objects/service.ts";
import { type ConnectorPublication, formatPublication } from "../../src/network/connector-claims.ts";
import type { CertificateTexts } from "../../src/network/fabric-identity.ts";
import type { ConnectorPlace } from "./facts.ts";

/** What a connector has heard, for its next run: as it came, so that it is read by the same rules. */
export interface Snapshot {
  /** By the ConfigMaps' names. */
  readonly documents: ReadonlyMap<string, ConnectorDocument>;
  readonly credentials: CertificateTexts | undefined;
  readonly place: ConnectorPlace | undefined;
  readonly publications: ReadonlyMap<string, ConnectorPublication>;
}

export const EMPTY_SNAPSHOT: Snapshot = {
  documents: new Map(),
  credentials: undefined,
  place: undefined,
  publications: new Map(),
};

/** Of this file's format: another one's is not read, and what it said is heard from the API server. */
const VERSION = 1;
/** The documents of the largest cluster, and what its connectors publish. */
const SNAPSHOT_BYTES_MAX = 64 * 1024 * 1024;

/** The private key is in it. */
export function formatSnapshot({ documents, credentials, place, publications }: Snapshot): string {
  return JSON.stringify({
    version: VERSION,
    documents: Object.fromEntries([...documents].map(([name, { text }]) => [name, text])),
    credentials: credentials && { ...credentials, key: credentials.key?.reveal() },
    place: place && { ...place, prefixes: place.prefixes.map(formatPrefix) },
    publications: Object.fromEntries([...publications].map(([node, value]) => [node, formatPublication(value)])),
  });
}

/** Reads what {@link formatSnapshot} wrote. A part that cannot be read is refused with the rest: it was not written so. */
export function parseSnapshot(text: string): Result<Snapshot, DecodeError> {
  const json = text.length > SNAPSHOT_BYTES_MAX ? undefined : parseJsonText(text);
  return parseJson(json, (file) => {
    if (file.field("version").integer(0, Number.MAX_SAFE_INTEGER) !== VERSION) file.refuse("of another version");
    return {
      documents: new Map(
        file
          .field("documents")
          .entries()
          .map(([name, view]) => {
            const document = taken(view, parseConnectorText(name, view.string(DATA_BYTES_MAX)));
            return [name, document ?? view.refuse("no document of the connectors")];
          }),
      ),
      credentials: file.field("credentials").absent ? undefined : readCredentialTexts(file.field("credentials")),
      place: file.field("place").absent ? undefined : readPlace(file.field("place")),
      publications: new Map(
        file
          .field("publications")
          .entries()
          .map(([node, view]) => {
            return [node, taken(view, parsePublicationText(view.string(DATA_BYTES_MAX), node))];
          }),
      ),
    };
  });
}

function readCredentialTexts(view: JsonView): CertificateTexts {
  const key = view.field("key").optionalString(DATA_BYTES_MAX);
  return {
    certificates: view.field("certificates").string(DATA_BYTES_MAX),
    key: key === undefined ? undefined : new SecretText(key),
    authorities: view.field("authorities").string(DATA_BYTES_MAX),
  };
}

function readPlace(view: JsonView): ConnectorPlace {
  const [first, ...more] = view
    .field("addresses")
    .list(NODE_ADDRESSES_MAX, (address) => address.parsed(ADDRESS_LENGTH_MAX, parseIp));
  return {
    uid: view.field("uid").string(OPAQUE_LENGTH_MAX),
    addresses: [first ?? view.field("addresses").refuse("empty"), ...more],
    prefixes: view.field("prefixes").list(NODE_PREFIXES_MAX, (prefix) => prefix.parsed(NAME_LENGTH_MAX, parsePrefix)),
  };
}

function taken<T>(view: JsonView, result: Result<T, DecodeError>): T {
  return result.ok ? result.value : view.refuse(`${result.error.at}: ${result.error.why}`);
}
