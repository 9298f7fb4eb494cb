import { SelvedgeError } from "../../src/base/errors.ts";
import { type Ip, ipFamily, type Prefix, parseIp, parsePrefix, prefixContains } from "../../src/base/ip.ts";
import type { DecodeError } from "../../src/base/result.ts";
import { type JsonView, parseJson } from "../../src/kube/json-view.ts";
import { numberOfIp } from "./address-number.ts";
import { type AddressRange, isInRange, type RangeSet, wholeRange } from "./address-plan.ts";
import { type Bandwidth, readBandwidth } from "./bandwidth-config.ts";
import { type CniDns, type CniResult, readCniResult, readDns } from "./cni-result.ts";
import { CNI_VERSIONS, type CniVersion, parseCniVersion } from "./cni-version.ts";
import { isInterfaceName } from "./interface-name.ts";
import { type PortMapping, readPortMappings } from "./port-mapping.ts";
import type { Attachment } from "./reservation.ts";

export interface PodRoute {
  readonly destination: Prefix;
  /** Undefined: the gateway of the pod's address of that family. */
  readonly gateway: Ip | undefined;
}

/** A network's configuration as the plugins bridge, host-local, portmap and bandwidth take it, in one. */
export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  readonly name: string;
  readonly bridge: string;
  /** 0 leaves it to the kernel. */
  readonly mtu: number;
  readonly hairpin: boolean;
  /** The bridge has the gateways' addresses. */
  readonly isGateway: boolean;
  /** And pods have a default route to them. */
  readonly isDefaultGateway: boolean;
  /** Addresses of the bridge that do not fit give way. */
  readonly forceAddress: boolean;
  readonly ranges: readonly RangeSet[];
  readonly routes: readonly PodRoute[];
  readonly dataDir: string;
  /** For the runtime to pass on. */
  readonly dns: CniDns;
  readonly portMappings: readonly PortMapping[];
  readonly bandwidth: Bandwidth | undefined;
  readonly previous: CniResult | undefined;
  /** For GC: who is still there; undefined where the request does not say. */
  readonly validAttachments: readonly Attachment[] | undefined;
}

/** A pod has an address a family; more sets are a mistake. */
const RANGE_SETS_LIMIT = 8;
/** A node has one pod subnet a family, and grows by few. */
const RANGES_LIMIT = 64;
const ROUTES_LIMIT = 256;
/** Of a node's pods, several times over. */
const ATTACHMENTS_LIMIT = 16_384;

/** The specification's own; it becomes a folder. */
const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/;
/** The longest textual prefix. */
const PREFIX_TEXT = 64;
const PATH_LIMIT = 4096;
/** IP_MAX_MTU; the least that IPv4 works with. */
const [LEAST_MTU, MOST_MTU] = [68, 65_535];

/** For GC. */
const ATTACHMENTS = "cni.dev/valid-attachments";

/** host-local's default. */
export const DATA_DIR = "/var/lib/cni/networks";

/** What bridge has and this does not: whoever sets it would miss it. */
const UNSUPPORTED = ["ipMasq", "promiscMode", "vlan", "vlanTrunk", "macspoofchk", "portIsolation"] as const;

/**
 * @param text of standard input
 * @throws SelvedgeError CNI_DECODE, CNI_VERSION, CNI_CONFIG, CNI_UNSUPPORTED
 */
export function parseNetworkConfig(text: string): NetworkConfig {
  const json = decodeJson(text);
  const cniVersion = checkedVersion(json);
  const read = parseJson(json, (view) => readNetworkConfig(view, cniVersion, hasAttachments(json)));
  if (!read.ok) throw invalid(read.error);
  const used = UNSUPPORTED.find((name) => isSet((json as Readonly<Record<string, unknown>>)[name]));
  if (used !== undefined) throw unsupported(used);
  return read.value;
}

/** Of any request, also one whose configuration is of no use: VERSION needs nothing else. @throws SelvedgeError */
export function parseRequestedVersion(text: string): CniVersion {
  return checkedVersion(decodeJson(text));
}

function decodeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SelvedgeError("Cannot read the network configuration as it is no JSON", {
      code: "CNI_DECODE",
      blame: "peer",
      retry: "never",
      hint: "A container runtime passes it on standard input, from a file of the folder that --cni-conf-path names.",
      cause: error,
    });
  }
}

function checkedVersion(json: unknown): CniVersion {
  const read = parseJson(json, (view) => view.field("cniVersion").optionalString(32) ?? "0.1.0");
  if (!read.ok) throw invalid(read.error);
  const version = parseCniVersion(read.value);
  if (version !== undefined) return version;
  throw new SelvedgeError(
    `Cannot answer as the CNI version is none of ${CNI_VERSIONS.join(", ")}: current value is "${read.value}"`,
    { code: "CNI_VERSION", blame: "user", retry: "never", hint: "Set cniVersion of the network configuration." },
  );
}

/** The runtimes' library says null where nobody is there any more, and leaves the field out where it does not know. */
function hasAttachments(json: unknown): boolean {
  return typeof json === "object" && json !== null && Object.hasOwn(json, ATTACHMENTS);
}

function readNetworkConfig(view: JsonView, cniVersion: CniVersion, knowsAttachments: boolean): NetworkConfig {
  const ipam = view.field("ipam");
  if (ipam.field("type").string(64) !== "host-local") ipam.field("type").refuse("not host-local");
  const isDefaultGateway = view.field("isDefaultGateway").optionalBoolean() ?? false;
  const runtime = view.field("runtimeConfig");
  return {
    cniVersion,
    name: named(view.field("name"), (text) => NETWORK_NAME.test(text), "not a network's name"),
    bridge: view.field("bridge").absent
      ? "cni0"
      : named(view.field("bridge"), isInterfaceName, "not an interface's name"),
    mtu: readMtu(view.field("mtu")),
    hairpin: view.field("hairpinMode").optionalBoolean() ?? false,
    isGateway: isDefaultGateway || (view.field("isGateway").optionalBoolean() ?? false),
    isDefaultGateway,
    forceAddress: view.field("forceAddress").optionalBoolean() ?? false,
    ranges: readRangeSets(ipam),
    routes: ipam.field("routes").list(ROUTES_LIMIT, readRoute),
    dataDir: readDataDir(ipam.field("dataDir")),
    dns: readDns(view.field("dns")),
    portMappings: readPortMappings(runtime.field("portMappings")),
    bandwidth: readBandwidth(runtime.field("bandwidth")),
    previous: view.field("prevResult").absent ? undefined : readCniResult(view.field("prevResult")),
    validAttachments: knowsAttachments ? readAttachments(view.field(ATTACHMENTS)) : undefined,
  };
}

function readMtu(view: JsonView): number {
  const mtu = view.optionalInteger(0, MOST_MTU) ?? 0;
  return mtu === 0 || mtu >= LEAST_MTU ? mtu : view.refuse(`less than ${LEAST_MTU}`);
}

function readDataDir(view: JsonView): string {
  const path = view.optionalString(PATH_LIMIT) ?? "";
  if (path === "") return DATA_DIR;
  return path.startsWith("/") && !path.includes("\0") ? path : view.refuse("not an absolute path");
}

/** The form with one subnet in `ipam` itself is host-local's first one, and adds a set. */
function readRangeSets(ipam: JsonView): readonly RangeSet[] {
  const sets = ipam.field("ranges").list(RANGE_SETS_LIMIT, (set) => {
    const ranges = set.list(RANGES_LIMIT, readRange);
    const [first] = ranges;
    if (first === undefined) return set.refuse("empty");
    const family = ipFamily(first.subnet.address);
    if (ranges.some((range) => ipFamily(range.subnet.address) !== family)) set.refuse("of both families");
    return ranges;
  });
  const all = ipam.field("subnet").absent ? sets : [[readRange(ipam)], ...sets];
  return all.length === 0 ? ipam.field("ranges").refuse("empty: there is no address to give") : all;
}

function readRange(view: JsonView): AddressRange {
  const subnet = view.field("subnet").parsed(PREFIX_TEXT, parsePrefix);
  const bits = ipFamily(subnet.address) === 4 ? 32 : 128;
  if (subnet.length > bits - 2) view.field("subnet").refuse("too small: it has no address for a pod");
  const whole = wholeRange(subnet);
  const inside = (name: string, byDefault: Ip) => {
    const field = view.field(name);
    if (field.absent) return byDefault;
    const ip = field.parsed(PREFIX_TEXT, parseIp);
    return prefixContains(subnet, ip) ? ip : field.refuse("not in the subnet");
  };
  const range = {
    subnet,
    first: inside("rangeStart", whole.first),
    last: inside("rangeEnd", whole.last),
    gateway: inside("gateway", whole.gateway),
  };
  if (numberOfIp(range.first) > numberOfIp(range.last)) view.field("rangeEnd").refuse("before rangeStart");
  return isInRange(whole, range.first) && isInRange(whole, range.last)
    ? range
    : view.refuse("the subnet's own address, or its broadcast address, is in the range");
}

function readRoute(view: JsonView): PodRoute {
  const gateway = view.field("gw");
  return {
    destination: view.field("dst").parsed(PREFIX_TEXT, parsePrefix),
    gateway: gateway.absent ? undefined : gateway.parsed(PREFIX_TEXT, parseIp),
  };
}

function readAttachments(view: JsonView): readonly Attachment[] {
  return view.list(ATTACHMENTS_LIMIT, (item) => ({
    containerId: item.field("containerID").string(256),
    ifName: item.field("ifname").string(15),
  }));
}

function named(view: JsonView, isValid: (text: string) => boolean, why: string): string {
  const text = view.string(128);
  return isValid(text) ? text : view.refuse(why);
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== 0;
}

function invalid({ at, why }: DecodeError): SelvedgeError {
  return new SelvedgeError(`Cannot use the network configuration as ${at === "" ? "it" : at} is wrong: ${why}`, {
    code: "CNI_CONFIG",
    blame: "user",
    retry: "never",
    hint: "Correct the file in the folder that --cni-conf-path names; the agent writes its own anew.",
  });
}

function unsupported(name: string): SelvedgeError {
  return new SelvedgeError(`Cannot use the network configuration as this plugin has no "${name}"`, {
    code: "CNI_UNSUPPORTED",
    blame: "user",
    retry: "never",
    hint: "Leave it out, or name the stock plugins in the configuration (--cni-plugins=stock).",
  });
}
