import type { GlobalService, Locality } from "../../src/network/global-service.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import { type DnsName, nameLabels } from "../../src/wire/dns-name.ts";
import type { ResourceRecord } from "../../src/wire/dns-record.ts";
import { type Found, foundNoName, foundRecords } from "./found.ts";
import { hasCluster, planGlobalNames } from "./global-plan.ts";
import { isLabel } from "./plan.ts";

const NOWHERE: Locality = { cluster: undefined, zone: "", region: "" };

/**
 * Names of services in several clusters, below `global.`, as FabEdge's fabdns has them.
 *
 * What a GlobalService speaks for is answered here, and nothing else is: every other name below `global.` is forwarded, as
 * if this were not here. The zone is not ours alone: a cluster may have a fabdns that the upstreams lead to, and it may
 * know what this node has not heard of or may not read; and `global` is a domain of the Internet too, whose names a zone
 * of ours would take away. What is known is answered however long the cloud is away, as the cluster's names are; what was
 * forwarded is served stale, as everybody's is.
 */
export class GlobalNames {
  readonly #soa: ResourceRecord;
  readonly #services = new Map<ObjectKey, GlobalService>();
  readonly #servicesOfNamespace = new Map<string, number>();
  #locality = NOWHERE;

  constructor(soa: ResourceRecord) {
    this.#soa = soa;
  }

  get serviceCount(): number {
    return this.#services.size;
  }

  set(key: ObjectKey, service: GlobalService | undefined): void {
    const before = this.#services.get(key);
    if (before !== undefined) this.#countNamespace(before.namespace, -1);
    // The API server admits labels only; what is no label has no name in DNS.
    if (service === undefined || !isLabel(service.namespace) || !isLabel(service.name)) {
      this.#services.delete(key);
    } else {
      this.#services.set(key, service);
      this.#countNamespace(service.namespace, 1);
    }
  }

  /** @returns whether it is another one */
  setLocality(locality: Locality): boolean {
    const before = this.#locality;
    this.#locality = locality;
    return (["cluster", "zone", "region"] as const).some((place) => locality[place] !== before[place]);
  }

  /**
   * @param name below `global.`, in lower case
   * @returns undefined for a name that no GlobalService speaks for
   */
  find(name: DnsName, type: number): Found | undefined {
    const labels = nameLabels(name).slice(0, -1);
    return labels.at(-1) === "svc"
      ? this.#findService(name, type, labels.slice(0, -1))
      : this.#findDeprecated(name, type, labels);
  }

  /** @param labels in front of "svc" */
  #findService(name: DnsName, type: number, labels: readonly string[]): Found | undefined {
    const [namespace, service] = [labels.at(-1), labels.at(-2)];
    if (namespace === undefined || service === undefined) {
      // Empty, but there, as long as there is a name below it (RFC 8020).
      const exists = namespace === undefined ? this.#services.size > 0 : this.#servicesOfNamespace.has(namespace);
      return exists ? foundRecords(this.#soa, name, type, [], undefined) : undefined;
    }
    return this.#plan(name, type, `${namespace}/${service}`, labels.slice(0, -2));
  }

  /**
   * "<service>.<namespace>.<cluster>.global", which FabEdge has given up and still answers. So might a name of the
   * Internet look: it is ours only where that cluster has a part in that service.
   */
  #findDeprecated(name: DnsName, type: number, labels: readonly string[]): Found | undefined {
    const [service, namespace, cluster, ...more] = labels;
    if (cluster === undefined || more.length > 0) return undefined;
    const key = `${namespace}/${service}`;
    const known = this.#services.get(key);
    return known !== undefined && hasCluster(known, cluster) ? this.#plan(name, type, key, [cluster]) : undefined;
  }

  #plan(name: DnsName, type: number, key: ObjectKey, below: readonly string[]): Found | undefined {
    const service = this.#services.get(key);
    if (service === undefined) return undefined;
    const plan = planGlobalNames(service, this.#locality, below, name, type);
    if (plan.kind === "no-name") return foundNoName(this.#soa, name);
    const answers = plan.kind === "records" ? plan.answers : [];
    // Any label is a cluster without endpoints: there is no end of such names, and they are not kept.
    const cluster = below.at(-1);
    const kept = cluster === undefined || hasCluster(service, cluster);
    return foundRecords(this.#soa, name, type, answers, kept ? globalOwner(key) : undefined);
  }

  #countNamespace(namespace: string, by: 1 | -1): void {
    const count = (this.#servicesOfNamespace.get(namespace) ?? 0) + by;
    if (count === 0) this.#servicesOfNamespace.delete(namespace);
    else this.#servicesOfNamespace.set(namespace, count);
  }
}

/** Owns the answers that a GlobalService's change makes wrong. */
export function globalOwner(key: ObjectKey): string {
  return `*${key}`;
}
