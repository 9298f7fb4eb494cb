import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { connect } from "node:net";
import { release } from "node:os";
import { dirname } from "node:path";
import { errorCode } from "../../src/base/errors.ts";
import { probeEsp } from "../../src/linux/esp-probe.ts";
import { findIkePortTaken } from "../../src/linux/ike-ports.ts";
import { probeConntrack, probeNftables } from "../../src/linux/kernel-features.ts";
import { observePortHolders } from "../../src/linux/port-holders.ts";
import { SystemClock } from "../../src/linux/system-clock.ts";
import { CharonCommands } from "../../src/strongswan/charon-commands.ts";
import { ViciSession } from "../../src/strongswan/vici-session.ts";
import type { Config } from "../config/options.ts";
import type { HostState, Refusal } from "./host-check.ts";
import { sentenceOf } from "./sentence.ts";
import type { TunnelHost } from "./tunnel-check.ts";

/** A source on this node or nearby answers at once; a person waits. */
const CONNECT_PATIENCE_MS = 3000;

export async function observeHost(config: Config): Promise<HostState> {
  const url = config.sourceUrl;
  return {
    kernel: release(),
    capabilities: effectiveCapabilities(),
    nftables: probeNftables(),
    conntrack: probeConntrack(),
    dnsPort: observePortHolders(config.dnsBindPort),
    disk: observeDisk(config.stateDir),
    source: url === undefined ? undefined : { url, refusal: await probeConnection(new URL(url)) },
    tunnels: await observeTunnelHost(config),
  };
}

/** Where Debian and what derives from it have charon and its plugins. */
const CHARON = "/usr/sbin/charon-systemd";
const LIBIPSEC_PLUGIN = "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so";

async function observeTunnelHost({ tunnelsConf, tlsDir, viciSocket }: Config): Promise<TunnelHost> {
  const installed = existsSync(CHARON);
  const charon = await askCharon(viciSocket);
  return {
    wanted: installed || tunnelsConf !== undefined || existsSync(tlsDir) || existsSync(viciSocket),
    installed,
    charon,
    portTaken: charon.absent ? findIkePortTaken() : undefined,
    kernelEsp: observeKernelEsp(),
    userspaceEsp: existsSync(LIBIPSEC_PLUGIN),
  };
}

/** @returns `absent` where nobody is at the socket, not even one that hangs */
async function askCharon(viciSocket: string): Promise<TunnelHost["charon"] & { readonly absent: boolean }> {
  try {
    const session = await ViciSession.open(viciSocket, new SystemClock(), () => undefined);
    try {
      return { version: await new CharonCommands(session).version(), refusal: undefined, absent: false };
    } finally {
      session.close();
    }
  } catch (error) {
    return { version: undefined, refusal: sentenceOf(error), absent: errorCode(error) === "CHARON_ABSENT" };
  }
}

function observeKernelEsp(): boolean | undefined {
  try {
    return probeEsp();
  } catch {
    // Without the privilege to ask, which has a line of its own.
    return undefined;
  }
}

function effectiveCapabilities(): bigint {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return BigInt(`0x${line?.[1] ?? "0"}`);
}

/** The directory itself, or, before the first start, the nearest one above that is there. */
function observeDisk(stateDir: string): HostState["disk"] {
  let path = stateDir;
  for (;;) {
    try {
      const { bavail, bsize } = statfsSync(path);
      return { path, freeBytes: bavail * bsize, refusal: probeWritable(path) };
    } catch (error) {
      if (path === "/") return { path, freeBytes: 0, refusal: errorCode(error) };
      path = dirname(path);
    }
  }
}

function probeWritable(path: string): Refusal {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return errorCode(error);
  }
}

/** Only the connection: what the source answers, and whether it trusts us, is the agent's to say. */
function probeConnection(url: URL): Promise<Refusal> {
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_PATIENCE_MS });
    const finish = (refusal: Refusal) => {
      socket.destroy();
      resolve(refusal);
    };
    socket.on("connect", () => finish(undefined));
    socket.on("timeout", () => finish("nobody answered in 3 s"));
    socket.on("error", (error) => finish(errorCode(error)));
  });
}
