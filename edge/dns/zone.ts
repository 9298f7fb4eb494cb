import { Flag, Rcode, RecordType } from "../../src/wire/dns.ts";
import { type DnsName, nameFromLabels } from "../../src/wire/dns-name.ts";
import { nameRecord, type ResourceRecord, soaRecord, textRecord } from "../../src/wire/dns-record.ts";

/** Seconds that clients may keep a cluster record: CoreDNS' and EdgeMesh's value, short as endpoints move. */
export const CLUSTER_TTL = 30;
/** RFC 2308's minimum, for what is not there: short, as a service may be made at any moment. */
const NEGATIVE_TTL = 5;
/** The specification's own example, section 2.2. */
const VERSION_TTL = 28_800;
/** Kubernetes DNS-Based Service Discovery, the version that this implements. */
export const SCHEMA_VERSION = "1.1.0";

/** FabEdge's zone of services in several clusters. */
export const GLOBAL_ZONE = nameFromLabels(["global"]);

/** The records that belong to the cluster zone itself and to no service. */
export interface Zone {
  readonly name: DnsName;
  /** svc.<zone> */
  readonly services: DnsName;
  /** pod.<zone> */
  readonly pods: DnsName;
  /** ns.dns.<zone>: the name server, which is this program. */
  readonly nameServer: DnsName;
  readonly soa: ResourceRecord;
  /** Of the zone `global.`, in which services of several clusters are. */
  readonly globalSoa: ResourceRecord;
  readonly ns: ResourceRecord;
  readonly version: ResourceRecord;
}

/** @param name in lower case */
export function makeZone(name: DnsName): Zone {
  const nameServer = nameServerOf(name);
  return {
    name,
    services: nameFromLabels(["svc"], name),
    pods: nameFromLabels(["pod"], name),
    nameServer,
    soa: startOfAuthority(name, name),
    globalSoa: startOfAuthority(GLOBAL_ZONE, name),
    ns: nameRecord(name, RecordType.NS, CLUSTER_TTL, nameServer),
    version: textRecord(nameFromLabels(["dns-version"], name), VERSION_TTL, SCHEMA_VERSION),
  };
}

function nameServerOf(cluster: DnsName): DnsName {
  return nameFromLabels(["ns", "dns"], cluster);
}

function startOfAuthority(zone: DnsName, cluster: DnsName): ResourceRecord {
  // Nobody transfers these zones, so serial and the secondaries' timers say nothing.
  return soaRecord(zone, NEGATIVE_TTL, {
    primary: nameServerOf(cluster),
    mailbox: nameFromLabels(["hostmaster"], cluster),
    serial: 1,
    refreshSeconds: 7200,
    retrySeconds: 1800,
    expireSeconds: 86_400,
    minimumSeconds: NEGATIVE_TTL,
  });
}

export const AUTHORITATIVE = Flag.Authoritative | Rcode.NoError;
export const NO_SUCH_NAME = Flag.Authoritative | Rcode.NxDomain;

/** What a question for ANY gets: that there is something, in few bytes (RFC 8482 section 4.2). */
export function minimalAnyRecord(name: DnsName): ResourceRecord {
  const rfc = textRecord(name, CLUSTER_TTL, "RFC8482");
  return { ...rfc, type: RecordType.HINFO, rest: Uint8Array.of(...rfc.rest, 0) };
}
