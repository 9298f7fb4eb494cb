import { type Ip, ipFamily } from "../../src/base/ip.ts";
import type { Endpoint } from "../../src/network/endpoint.ts";
import type { Protocol, Service } from "../../src/network/service.ts";
import type { ServiceView } from "../../src/network/service-index.ts";
import { RecordType } from "../../src/wire/dns.ts";
import {
  type DnsName,
  lowerName,
  MAX_LABEL_BYTES,
  MAX_NAME_BYTES,
  nameFromLabels,
  parseName,
} from "../../src/wire/dns-name.ts";
import { addressRecord, type ResourceRecord, srvRecord } from "../../src/wire/dns-record.ts";
import { CLUSTER_TTL, type Zone } from "./zone.ts";

/** What a name of a service's holds for one type of record. */
export type ServiceNames =
  | {
      readonly kind: "records";
      readonly answers: readonly ResourceRecord[];
      readonly additionals: readonly ResourceRecord[];
    }
  /** The name exists; another type, or a name below it, has records. */
  | { readonly kind: "no-data" }
  | { readonly kind: "no-name" }
  | { readonly kind: "alias"; readonly target: DnsName };

interface NamedPort {
  readonly name: string;
  readonly protocol: Protocol;
}

interface PublishedEndpoint {
  readonly address: Ip;
  readonly label: string;
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[];
}

/** Each address with its label once. */
interface PublishedEndpoints {
  readonly all: readonly PublishedEndpoint[];
  readonly byLabel: ReadonlyMap<string, readonly PublishedEndpoint[]>;
  readonly addresses: readonly Ip[];
  /** The different ones of their lists of ports: about one a slice. */
  readonly ports: readonly (readonly NamedPort[])[];
}

/**
 * Of the services that were asked for, for as long as they are as they are: made for each question, names that do not exist
 * below a service of thousands of endpoints cost a client little and everybody on the node their names.
 */
const PUBLISHED = new WeakMap<ServiceView, PublishedEndpoints>();

const NO_DATA: ServiceNames = { kind: "no-data" };
const NO_NAME: ServiceNames = { kind: "no-name" };
const SRV_PRIORITY = 0;
/** Shared by a name's targets, as CoreDNS does. */
const SRV_WEIGHT = 100;

/**
 * Answers a question for one service (Kubernetes DNS specification 1.1.0, sections 2.3 to 2.5).
 *
 * @param below the labels in front of the service's, in lower case: none, ["pod-0"] or ["_http", "_tcp"]
 * @param name the name asked for, in lower case, which the records get
 */
export function planServiceNames(
  view: ServiceView,
  zone: Zone,
  below: readonly string[],
  name: DnsName,
  type: number,
): ServiceNames {
  const { service } = view;
  if (service.type === "ExternalName") {
    const target = below.length === 0 ? externalTarget(service.externalName ?? "") : undefined;
    return target === undefined ? NO_NAME : { kind: "alias", target };
  }
  const [first = "", second = ""] = below;
  if (below.length === 0) return planServiceName(view, zone, name, type);
  if (below.length === 1) {
    return first.startsWith("_") ? planProtocolName(view, first) : planEndpointName(view, first, name, type);
  }
  if (below.length > 2) return NO_NAME;
  const wanted = (port: NamedPort) => port.name !== "" && matches(port, first, second);
  if (!hasPort(view, wanted)) return NO_NAME;
  return type === RecordType.SRV ? serviceRecords(name, locate(view, zone, wanted)) : NO_DATA;
}

/** As much of a view as names are made of. */
export function nameView(view: ServiceView): ServiceView {
  if (view.service.headless) return view;
  const slices = view.slices.flatMap((slice) => {
    const endpoints = slice.endpoints.filter((endpoint) => isNamed(view.service, endpoint));
    return endpoints.length === 0 ? [] : { ...slice, endpoints };
  });
  return { ...view, slices };
}

/**
 * All endpoints below a headless service have a name (section 2.4). Below another one only those that have a hostname: the
 * specification gives them none, but CoreDNS does, and StatefulSets whose service is not headless live by it.
 */
function isNamed({ headless, type }: Service, { hostname }: Endpoint): boolean {
  return headless || (hostname !== undefined && type !== "ExternalName");
}

/** The addresses by which the service, or an endpoint of it, is found backwards. */
export function reverseAddresses(view: ServiceView): readonly Ip[] {
  const { clusterIps } = view.service;
  return view.slices.length === 0 ? clusterIps : [...new Set([...clusterIps, ...publishEndpoints(view).addresses])];
}

/** What a PTR question for one of `reverseAddresses` is answered with. */
export function planReverseNames(view: ServiceView, zone: Zone, address: Ip): readonly DnsName[] {
  const { service } = view;
  if (service.clusterIps.includes(address)) return [serviceName(view, zone)];
  const labels = publishedEndpoints(view)
    .all.filter((endpoint) => endpoint.address === address)
    .map((endpoint) => endpoint.label);
  return [...new Set(labels)].map((label) => nameFromLabels([label], serviceName(view, zone))).filter(fits);
}

function planServiceName(view: ServiceView, zone: Zone, name: DnsName, type: number): ServiceNames {
  const { service } = view;
  const addresses = service.headless ? publishedEndpoints(view).addresses : service.clusterIps;
  // Section 2.4.1: a headless service without ready endpoints is NXDOMAIN.
  if (service.headless && addresses.length === 0) return NO_NAME;
  if (type === RecordType.SRV)
    return serviceRecords(
      name,
      locate(view, zone, () => true),
    );
  return addressesOf(addresses, name, type);
}

function planEndpointName(view: ServiceView, label: string, name: DnsName, type: number): ServiceNames {
  const found = publishedEndpoints(view).byLabel.get(label);
  if (found === undefined) return NO_NAME;
  return addressesOf(
    found.map((endpoint) => endpoint.address),
    name,
    type,
  );
}

/** "_tcp.<service>" holds nothing itself, but exists where a port's name is below it (RFC 8020). */
function planProtocolName(view: ServiceView, label: string): ServiceNames {
  const exists = hasPort(view, (port) => port.name !== "" && `_${port.protocol.toLowerCase()}` === label);
  return exists ? NO_DATA : NO_NAME;
}

function addressesOf(addresses: readonly Ip[], name: DnsName, type: number): ServiceNames {
  const family = type === RecordType.A ? 4 : type === RecordType.AAAA ? 6 : 0;
  if (family === 0) return NO_DATA;
  const answers = addresses
    .filter((address) => ipFamily(address) === family)
    .map((address) => addressRecord(name, CLUSTER_TTL, address));
  return answers.length === 0 ? NO_DATA : { kind: "records", answers, additionals: [] };
}

function hasPort(view: ServiceView, wanted: (port: NamedPort) => boolean): boolean {
  const { service } = view;
  return service.headless
    ? publishedEndpoints(view).ports.some((ports) => ports.some(wanted))
    : service.ports.some(wanted);
}

function matches(port: NamedPort, portLabel: string, protocolLabel: string): boolean {
  return `_${port.name.toLowerCase()}` === portLabel && `_${port.protocol.toLowerCase()}` === protocolLabel;
}

interface Location {
  readonly target: DnsName;
  readonly port: number;
  readonly addresses: readonly Ip[];
}

/** Targets and ports: the service's own name, or each endpoint's where it is headless. */
function locate(view: ServiceView, zone: Zone, wanted: (port: NamedPort) => boolean): readonly Location[] {
  const { service } = view;
  const own = serviceName(view, zone);
  if (!service.headless) {
    return service.ports.filter(wanted).map(({ port }) => ({ target: own, port, addresses: service.clusterIps }));
  }
  const found = new Map<string, { target: DnsName; port: number; addresses: Ip[] }>();
  for (const { label, address, ports } of publishedEndpoints(view).all) {
    for (const { port } of ports.filter(wanted)) {
      const target = nameFromLabels([label], own);
      if (!fits(target)) continue;
      const key = `${port} ${target}`;
      const location = found.get(key);
      if (location === undefined) found.set(key, { target, port, addresses: [address] });
      else if (!location.addresses.includes(address)) location.addresses.push(address);
    }
  }
  return [...found.values()];
}

function serviceRecords(name: DnsName, locations: readonly Location[]): ServiceNames {
  if (locations.length === 0) return NO_DATA;
  const weight = Math.max(1, Math.floor(SRV_WEIGHT / locations.length));
  const answers = locations.map(({ target, port }) =>
    srvRecord(name, CLUSTER_TTL, { priority: SRV_PRIORITY, weight, port, target }),
  );
  const glue = new Map<string, ResourceRecord>();
  for (const { target, addresses } of locations) {
    for (const address of addresses) glue.set(`${address} ${target}`, addressRecord(target, CLUSTER_TTL, address));
  }
  return { kind: "records", answers, additionals: [...glue.values()] };
}

function publishedEndpoints(view: ServiceView): PublishedEndpoints {
  let published = PUBLISHED.get(view);
  if (published === undefined) {
    published = publishEndpoints(view);
    PUBLISHED.set(view, published);
  }
  return published;
}

/** Ready endpoints with a name, or all of these where the service says so. */
function publishEndpoints({ service, slices }: ServiceView): PublishedEndpoints {
  const found = new Map<string, PublishedEndpoint>();
  for (const slice of slices) {
    const ports = slice.ports.flatMap(({ name, protocol, port }) =>
      port === undefined ? [] : { name, protocol, port },
    );
    for (const endpoint of slice.endpoints) {
      if (!isNamed(service, endpoint) || !(endpoint.ready || service.publishNotReadyAddresses)) continue;
      for (const address of endpoint.addresses) {
        const label = endpointLabel(endpoint.hostname, address);
        const key = `${label} ${address}`;
        const before = found.get(key);
        found.set(key, { address, label, ports: before === undefined ? ports : [...before.ports, ...ports] });
      }
    }
  }
  const all = [...found.values()];
  return {
    all,
    byLabel: Map.groupBy(all, (endpoint) => endpoint.label),
    addresses: [...new Set(all.map((endpoint) => endpoint.address))],
    ports: [...new Set(all.map((endpoint) => endpoint.ports))],
  };
}

/** The endpoint's hostname, or its address with dashes, as CoreDNS names endpoints without one. */
function endpointLabel(hostname: string | undefined, address: Ip): string {
  const label = hostname?.toLowerCase() ?? "";
  return isLabel(label) ? label : address.replace(/[.:]/g, "-");
}

export function isLabel(text: string): boolean {
  return text.length <= MAX_LABEL_BYTES && /^[a-z0-9_-]+$/.test(text);
}

function serviceName(view: ServiceView, zone: Zone): DnsName {
  return nameFromLabels([view.service.name, view.service.namespace], zone.services);
}

function fits(name: DnsName): boolean {
  return name.length <= MAX_NAME_BYTES;
}

/** An address is no name: CoreDNS gives no record for it, and a CNAME to it would lead nowhere. */
function externalTarget(text: string): DnsName | undefined {
  const name = parseName(text);
  return name.ok && name.value !== "\0" && !/^[\d.]+$/.test(text) ? lowerName(name.value) : undefined;
}
