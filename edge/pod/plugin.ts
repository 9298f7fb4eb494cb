import type { Clock } from "../../src/base/clock.ts";
import { SelvedgeError } from "../../src/base/errors.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { addPod } from "./add.ts";
import { checkPod } from "./check.ts";
import { formatCniError } from "./cni-error.ts";
import { type CniRequest, parseCniRequest } from "./cni-request.ts";
import { formatCniResult } from "./cni-result.ts";
import { CNI_VERSIONS, type CniVersion, isAtLeast, NEWEST_CNI_VERSION } from "./cni-version.ts";
import { deletePod } from "./delete.ts";
import { collectGarbage } from "./garbage.ts";
import { type NetworkConfig, parseNetworkConfig, parseRequestedVersion } from "./network-config.ts";
import type { PodHost } from "./pod-host.ts";
import { checkReadiness } from "./readiness.ts";

/** What a container runtime gives its plugin, and what it takes back. */
export interface PluginCaller {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** All of standard input. @throws SelvedgeError CNI_INPUT */
  readonly readInput: () => string;
  readonly clock: Clock;
}

export interface PluginOutcome {
  readonly exitCode: 0 | 1;
  /** For standard output. */
  readonly text: string;
}

/** One command of the CNI specification, 0.3.0 to 1.1.0, in the version that it is asked in. */
export async function runPlugin(caller: PluginCaller): Promise<PluginOutcome> {
  let version: CniVersion = NEWEST_CNI_VERSION;
  try {
    const request = parseCniRequest(caller.env);
    const input = caller.readInput();
    if (request.command === "VERSION") return { exitCode: 0, text: formatVersions(input) };
    version = parseRequestedVersion(input);
    refuseUnknownCommand(request, version);
    return { exitCode: 0, text: await execute(request, parseNetworkConfig(input), caller.clock) };
  } catch (error) {
    return { exitCode: 1, text: formatCniError(version, error) };
  }
}

async function execute(
  request: Exclude<CniRequest, { command: "VERSION" }>,
  config: NetworkConfig,
  clock: Clock,
): Promise<string> {
  const route = new NetlinkSocket(NETLINK_ROUTE);
  const host: PodHost = { route, clock };
  try {
    switch (request.command) {
      case "ADD":
        return formatCniResult(config.cniVersion, await addPod(host, config, request.attachment, request.namespace));
      case "DEL":
        await deletePod(host, config, request.attachment, request.namespace);
        return "";
      case "CHECK":
        await checkPod(host, config, request.attachment, request.namespace);
        return "";
      case "GC":
        await collectGarbage(host, config);
        return "";
      case "STATUS":
        await checkReadiness(host, config);
        return "";
    }
  } finally {
    route.close();
  }
}

/** A configuration that names no version, or one that we do not know, may still ask which ones there are. */
function formatVersions(input: string): string {
  let cniVersion: string = NEWEST_CNI_VERSION;
  try {
    cniVersion = parseRequestedVersion(input);
  } catch (error) {
    if (!(error instanceof SelvedgeError)) throw error;
  }
  return JSON.stringify({ cniVersion, supportedVersions: CNI_VERSIONS });
}

/** CHECK came with 0.4.0, GC and STATUS with 1.1.0. */
function refuseUnknownCommand({ command }: CniRequest, version: CniVersion): void {
  const least = command === "CHECK" ? "0.4.0" : command === "GC" || command === "STATUS" ? "1.1.0" : CNI_VERSIONS[0];
  if (isAtLeast(version, least)) return;
  throw new SelvedgeError(`Cannot do ${command} as it came with CNI ${least}: current value is ${version}`, {
    code: "CNI_VERSION",
    blame: "user",
    retry: "never",
    hint: "Set cniVersion of the network configuration.",
  });
}
