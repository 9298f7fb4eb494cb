import { accessSync, constants, readdirSync, readFileSync, readlinkSync, statfsSync } from "node:fs";
import { connect } from "node:net";
import { release } from "node:os";
import { dirname } from "node:path";
import { errorCode, errorText } from "../../src/base/errors.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { encodeGetGeneration } from "../../src/wire/nftables.ts";
import { sourceAddress } from "../config/consistency.ts";
import type { Config } from "../config/options.ts";
import type { HostState, PortHolder, Probe } from "./host-check.ts";
import { type ListeningSocket, parseSocketTable } from "./socket-table.ts";

/** A source on this node or nearby answers at once; a person waits. */
const CONNECT_PATIENCE_MS = 3000;

export async function observeHost(config: Config): Promise<HostState> {
  const url = sourceAddress(config);
  return {
    kernel: release(),
    capabilities: effectiveCapabilities(),
    nftables: probeNftables(),
    dnsPort: holdersOf(config.dnsBindPort),
    disk: observeDisk(config.stateDir),
    source: url === undefined ? undefined : { url, reachable: await probeConnection(new URL(url)) },
  };
}

function effectiveCapabilities(): bigint {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return BigInt(`0x${line?.[1] ?? "0"}`);
}

function probeNftables(): Probe {
  try {
    const socket = new NetlinkSocket(NETLINK_NETFILTER);
    try {
      socket.request("read the ruleset's generation", encodeGetGeneration);
      return { outcome: "yes" };
    } finally {
      socket.close();
    }
  } catch (error) {
    const permitted = errorCode(error) !== "EPERM" && errorCode(error) !== "EACCES";
    return permitted ? { outcome: "no", why: errorText(error) } : { outcome: "unknown", why: "only root may look" };
  }
}

function holdersOf(port: number): readonly PortHolder[] {
  const tables = [
    ["udp", "UDP"],
    ["udp6", "UDP"],
    ["tcp", "TCP"],
    ["tcp6", "TCP"],
  ] as const;
  const sockets: readonly ListeningSocket[] = tables
    .flatMap(([file, protocol]) => parseSocketTable(readOrEmpty(`/proc/net/${file}`), protocol))
    .filter((socket) => socket.port === port);
  const owners = sockets.length === 0 ? new Map<string, number>() : ownersOf(new Set(sockets.map((s) => s.inode)));
  return sockets.map((socket) => {
    const pid = owners.get(socket.inode);
    const program = pid === undefined ? "" : readOrEmpty(`/proc/${pid}/comm`).trim();
    return { ...socket, pid, program: program === "" ? undefined : program };
  });
}

/** Processes come and go while we look: what cannot be read is left out. */
function ownersOf(inodes: ReadonlySet<string>): ReadonlyMap<string, number> {
  const owners = new Map<string, number>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    let descriptors: readonly string[] = [];
    try {
      descriptors = readdirSync(`/proc/${pid}/fd`);
    } catch {
      continue;
    }
    for (const descriptor of descriptors) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOrEmpty(`/proc/${pid}/fd/${descriptor}`))?.[1];
      if (inode !== undefined && inodes.has(inode)) owners.set(inode, Number(pid));
    }
  }
  return owners;
}

/** The directory itself, or, before the first start, the nearest one above that is there. */
function observeDisk(stateDir: string): HostState["disk"] {
  let path = stateDir;
  for (;;) {
    try {
      const { bavail, bsize } = statfsSync(path);
      return { path, freeBytes: bavail * bsize, writable: probeWritable(path) };
    } catch (error) {
      if (path === "/") return { path, freeBytes: 0, writable: { outcome: "no", why: errorText(error) } };
      path = dirname(path);
    }
  }
}

function probeWritable(path: string): Probe {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return { outcome: "yes" };
  } catch (error) {
    return { outcome: "no", why: errorCode(error) };
  }
}

/** Only the connection: what the source answers, and whether it trusts us, is the agent's to say. */
function probeConnection(url: URL): Promise<Probe> {
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_PATIENCE_MS });
    const finish = (probe: Probe) => {
      socket.destroy();
      resolve(probe);
    };
    socket.on("connect", () => finish({ outcome: "yes" }));
    socket.on("timeout", () => finish({ outcome: "no", why: "nobody answered in 3 s" }));
    socket.on("error", (error) => finish({ outcome: "no", why: errorCode(error) }));
  });
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function linkOrEmpty(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
