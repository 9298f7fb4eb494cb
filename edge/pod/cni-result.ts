import { type Ip, ipFamily, type Prefix, parseIp, parsePrefix } from "../../src/base/ip.ts";
import type { JsonView } from "../../src/kube/json-view.ts";
import { type CniVersion, isAtLeast } from "./cni-version.ts";

export interface CniInterface {
  readonly name: string;
  readonly mac: string;
  /** The path of its network namespace; undefined for this node's own. */
  readonly sandbox: string | undefined;
}

export interface CniAddress {
  /** Which of the interfaces has it. */
  readonly interface: number | undefined;
  readonly address: Ip;
  readonly prefixLength: number;
  readonly gateway: Ip | undefined;
}

export interface CniRoute {
  readonly destination: Prefix;
  readonly gateway: Ip | undefined;
}

export interface CniDns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/** What ADD did: the answer to it, and what CHECK is given. */
export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly addresses: readonly CniAddress[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
}

/** Of any chain of plugins, several times over. */
const ITEMS_LIMIT = 256;
const TEXT_LIMIT = 4096;

/** As the JSON that the version asks for. */
export function formatCniResult(version: CniVersion, result: CniResult): string {
  return JSON.stringify({
    cniVersion: version,
    interfaces: result.interfaces.map(({ name, mac, sandbox }) => ({ name, mac, sandbox })),
    ips: result.addresses.map((ip) => ({
      version: isAtLeast(version, "1.0.0") ? undefined : String(ipFamily(ip.address)),
      interface: ip.interface,
      address: `${ip.address}/${ip.prefixLength}`,
      gateway: ip.gateway,
    })),
    routes: result.routes.map(({ destination, gateway }) => ({
      dst: `${destination.address}/${destination.length}`,
      gw: gateway,
    })),
    dns: result.dns,
  });
}

export function readCniResult(view: JsonView): CniResult {
  return {
    interfaces: view.field("interfaces").list(ITEMS_LIMIT, (item) => ({
      name: item.field("name").string(TEXT_LIMIT),
      mac: item.field("mac").optionalString(TEXT_LIMIT) ?? "",
      sandbox: item.field("sandbox").optionalString(TEXT_LIMIT) || undefined,
    })),
    addresses: view.field("ips").list(ITEMS_LIMIT, readAddress),
    routes: view.field("routes").list(ITEMS_LIMIT, (item) => ({
      destination: item.field("dst").parsed(TEXT_LIMIT, parsePrefix),
      gateway: optionalIp(item.field("gw")),
    })),
    dns: readDns(view.field("dns")),
  };
}

export function readDns(view: JsonView): CniDns {
  const texts = (name: "nameservers" | "search" | "options") => {
    const list = view.field(name).list(ITEMS_LIMIT, (item) => item.string(TEXT_LIMIT));
    return list.length === 0 ? {} : { [name]: list };
  };
  const domain = view.field("domain").optionalString(TEXT_LIMIT) ?? "";
  return { ...texts("nameservers"), ...(domain === "" ? {} : { domain }), ...texts("search"), ...texts("options") };
}

function readAddress(item: JsonView): CniAddress {
  const [ip = "", length] = item.field("address").string(TEXT_LIMIT).split("/");
  const address = parseIp(ip);
  const prefix = parsePrefix(`${ip}/${length}`);
  if (!address.ok || !prefix.ok) return item.field("address").refuse("not an address with a prefix length");
  return {
    interface: item.field("interface").optionalInteger(0, ITEMS_LIMIT),
    address: address.value,
    prefixLength: prefix.value.length,
    gateway: optionalIp(item.field("gateway")),
  };
}

function optionalIp(view: JsonView): Ip | undefined {
  return view.absent ? undefined : view.parsed(TEXT_LIMIT, parseIp);
}
