import type { Ip } from "../../src/base/ip.ts";
import { ipFamily, parseIp } from "../../src/base/ip.ts";
import type { GlobalService, Locality } from "../../src/network/global-service.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { ServiceView, ServiceViews } from "../../src/network/service-index.ts";
import { RecordType } from "../../src/wire/dns.ts";
import { type DnsName, isWithin, latin1, nameLabels, parentName } from "../../src/wire/dns-name.ts";
import type { QueryReader } from "../../src/wire/dns-query.ts";
import { addressRecord, nameRecord, type ResourceRecord } from "../../src/wire/dns-record.ts";
import type { Answer } from "./answer.ts";
import { type Found, foundNoName, foundRecords } from "./found.ts";
import { GlobalNames, globalOwner } from "./global-names.ts";
import { isLabel, planReverseNames, planServiceNames, reverseAddresses } from "./plan.ts";
import { PreparedAnswers } from "./prepared-answers.ts";
import { reverseAddress } from "./reverse.ts";
import { CLUSTER_TTL, GLOBAL_ZONE, type Zone } from "./zone.ts";

interface Published {
  readonly namespace: string;
  readonly addresses: readonly Ip[];
}

/** Owns the answers that no change of a service makes wrong. */
const ZONE_OWNER = "";

/**
 * The cluster zone, and the names of services in several clusters: not a cache but a replica, which answers however long
 * its source is away. Services are taken in by name and address only; the records of a name are made when it is first
 * asked for.
 */
export class NameTable {
  readonly #zone: Zone;
  readonly #zoneLabels: number;
  readonly #nameServers: readonly Ip[];
  readonly #prepared = new PreparedAnswers();
  readonly #globals: GlobalNames;
  readonly #published = new Map<ObjectKey, Published>();
  readonly #servicesOfNamespace = new Map<string, number>();
  readonly #servicesOfAddress = new Map<Ip, readonly ObjectKey[]>();
  #index: ServiceViews | undefined;

  /** @param nameServers the addresses of ns.dns.<zone>: where this program listens */
  constructor(zone: Zone, nameServers: readonly Ip[]) {
    this.#zone = zone;
    this.#zoneLabels = nameLabels(zone.name).length;
    this.#nameServers = nameServers;
    this.#globals = new GlobalNames(zone.globalSoa);
  }

  get serviceCount(): number {
    return this.#published.size;
  }

  get globalServiceCount(): number {
    return this.#globals.serviceCount;
  }

  /** Takes in what changed. `index` is read again when names are asked for. */
  update(index: ServiceViews, changed: Iterable<ObjectKey>): void {
    this.#index = index;
    for (const key of changed) {
      const view = index.get(key);
      const { namespace = "", name = "" } = view?.service ?? {};
      // The API server admits labels only; what is no label has no name in DNS.
      this.#publish(key, isLabel(namespace) && isLabel(name) ? view : undefined);
      this.#prepared.drop(key);
    }
  }

  /** @param changed those that are gone as undefined */
  updateGlobals(changed: Iterable<readonly [ObjectKey, GlobalService | undefined]>): void {
    for (const [key, service] of changed) {
      this.#globals.set(key, service);
      this.#prepared.drop(globalOwner(key));
    }
  }

  /** Which of a service's clusters are near: until it is told, none is. */
  setLocality(locality: Locality): void {
    if (this.#globals.setLocality(locality)) this.#prepared.clear();
  }

  /** The hot path: the answer, if the name has been asked for before. */
  prepared(query: QueryReader): Answer | undefined {
    return this.#prepared.get(query);
  }

  /** @returns undefined for a name that is not ours to answer */
  lookup(query: QueryReader): Found | undefined {
    const name = latin1(query.name, 0, query.nameBytes) as DnsName;
    const found = this.find(name, query.type);
    if (found?.kind === "answer" && found.owner !== undefined) this.#prepared.put(query, found.owner, found.answer);
    return found;
  }

  /** @param name in lower case */
  find(name: DnsName, type: number): Found | undefined {
    if (isWithin(name, this.#zone.name)) return this.#findInZone(name, type);
    if (isWithin(name, GLOBAL_ZONE)) return this.#globals.find(name, type);
    return type === RecordType.PTR ? this.#findReverse(name) : undefined;
  }

  #findInZone(name: DnsName, type: number): Found {
    const zone = this.#zone;
    const labels = nameLabels(name).slice(0, -this.#zoneLabels);
    const last = labels.at(-1);
    if (last === "svc") return this.#findService(name, type, labels.slice(0, -1));
    if (last === "pod") return this.#findPod(name, type, labels.slice(0, -1));
    switch (name) {
      case zone.name:
        return this.#records(
          name,
          type,
          [zone.soa, zone.ns].filter((record) => record.type === type),
          ZONE_OWNER,
        );
      case zone.version.name:
        return this.#records(name, type, type === RecordType.TXT ? [zone.version] : [], ZONE_OWNER);
      case zone.nameServer:
        return this.#records(name, type, addressRecords(name, type, this.#nameServers), ZONE_OWNER);
      case parentName(zone.nameServer):
        return this.#records(name, type, [], ZONE_OWNER);
      default:
        return this.#noName(name);
    }
  }

  /** @param labels in front of "svc" */
  #findService(name: DnsName, type: number, labels: readonly string[]): Found {
    const [namespace, service] = [labels.at(-1), labels.at(-2)];
    if (namespace === undefined) return this.#records(name, type, [], ZONE_OWNER);
    if (!this.#servicesOfNamespace.has(namespace)) return this.#noName(name);
    if (service === undefined) return this.#records(name, type, [], namespaceOwner(namespace));
    const key = `${namespace}/${service}`;
    const view = this.#published.has(key) ? this.#index?.get(key) : undefined;
    if (view === undefined) return this.#noName(name);
    const plan = planServiceNames(view, this.#zone, labels.slice(0, -2), name, type);
    switch (plan.kind) {
      case "no-name":
        return this.#noName(name);
      case "no-data":
        return this.#records(name, type, [], key);
      case "records":
        return this.#records(name, type, plan.answers, key, plan.additionals);
      case "alias": {
        const record = nameRecord(name, RecordType.CNAME, CLUSTER_TTL, plan.target);
        // Also to ANY: nothing may stand beside an alias (RFC 8482 section 4.2).
        if (type === RecordType.CNAME || type === RecordType.ANY) {
          return this.#records(name, RecordType.CNAME, [record], key);
        }
        return { kind: "alias", record, target: plan.target };
      }
    }
  }

  /**
   * "10-1-2-3.<namespace>.pod.<zone>" says its own address (section 2.6). There are more such names than could be
   * kept, so their answers are made each time.
   */
  #findPod(name: DnsName, type: number, labels: readonly string[]): Found {
    const [dashed, ...more] = labels.length > 1 ? labels : [];
    if (dashed === undefined) return this.#records(name, type, [], undefined);
    const text = /^\d+-\d+-\d+-\d+$/.test(dashed) ? dashed.replaceAll("-", ".") : dashed.replaceAll("-", ":");
    const address = parseIp(text);
    if (more.length !== 1 || !address.ok) return this.#noName(name);
    return this.#records(name, type, addressRecords(name, type, [address.value]), undefined);
  }

  #findReverse(name: DnsName): Found | undefined {
    const address = reverseAddress(name);
    const keys = address === undefined ? undefined : this.#servicesOfAddress.get(address);
    if (address === undefined || keys === undefined) return undefined;
    const targets = keys.flatMap((key) => {
      const view = this.#index?.get(key);
      return view === undefined ? [] : planReverseNames(view, this.#zone, address);
    });
    if (targets.length === 0) return undefined;
    const records = targets.map((target) => nameRecord(name, RecordType.PTR, CLUSTER_TTL, target));
    return this.#records(name, RecordType.PTR, records, addressOwner(address));
  }

  #records(
    name: DnsName,
    type: number,
    found: readonly ResourceRecord[],
    owner: string | undefined,
    additionals: readonly ResourceRecord[] = [],
  ): Found {
    return foundRecords(this.#zone.soa, name, type, found, owner, additionals);
  }

  #noName(name: DnsName): Found {
    return foundNoName(this.#zone.soa, name);
  }

  #publish(key: ObjectKey, view: ServiceView | undefined): void {
    const before = this.#published.get(key);
    if (view === undefined) {
      this.#published.delete(key);
      if (before !== undefined) this.#countNamespace(before.namespace, -1);
    } else {
      this.#published.set(key, { namespace: view.service.namespace, addresses: reverseAddresses(view) });
      if (before === undefined) this.#countNamespace(view.service.namespace, 1);
    }
    const after = new Set(this.#published.get(key)?.addresses);
    for (const address of before?.addresses ?? []) {
      if (!after.has(address)) this.#setAddress(address, key, false);
    }
    for (const address of after) this.#setAddress(address, key, true);
  }

  #setAddress(address: Ip, key: ObjectKey, present: boolean): void {
    const others = (this.#servicesOfAddress.get(address) ?? []).filter((other) => other !== key);
    const keys = present ? [...others, key].sort() : others;
    if (keys.length === 0) this.#servicesOfAddress.delete(address);
    else this.#servicesOfAddress.set(address, keys);
    this.#prepared.drop(addressOwner(address));
  }

  #countNamespace(namespace: string, by: 1 | -1): void {
    const count = (this.#servicesOfNamespace.get(namespace) ?? 0) + by;
    if (count === 0) this.#servicesOfNamespace.delete(namespace);
    else this.#servicesOfNamespace.set(namespace, count);
    if (count === 0) this.#prepared.drop(namespaceOwner(namespace));
  }
}

function addressRecords(name: DnsName, type: number, addresses: readonly Ip[]): ResourceRecord[] {
  const family = type === RecordType.A ? 4 : type === RecordType.AAAA ? 6 : 0;
  return addresses
    .filter((address) => ipFamily(address) === family)
    .map((address) => addressRecord(name, CLUSTER_TTL, address));
}

function namespaceOwner(namespace: string): string {
  return `${namespace}/`;
}

function addressOwner(address: Ip): string {
  return `@${address}`;
}
