import { EXIT } from "../../src/cli/exit-code.ts";
import type { Resolution } from "../../src/network/agent-report.ts";
import { type CommandContext, paintFor, print, socketPath } from "./command-context.ts";
import { formatResolution, formatService, formatServices, formatStatus } from "./render.ts";
import { formatPeers, formatTunnel, formatTunnels } from "./render-tunnels.ts";
import { searchNames } from "./search-names.ts";

export async function showStatus(context: CommandContext): Promise<number> {
  const status = await context.io.ask(await socketPath(context), "/v1/status", "Status");
  await print(context, status, () => formatStatus(status, paintFor(context)));
  const healthy = status.ready && status.conditions.every((condition) => condition.severity === "info");
  return healthy ? EXIT.ok.code : EXIT.unhealthy.code;
}

export async function showServices(context: CommandContext): Promise<number> {
  const { io, flags, argument } = context;
  const query = new URLSearchParams();
  const namespace = flags.get("all-namespaces") === "true" ? undefined : flags.get("namespace");
  if (namespace !== undefined) query.set("namespace", namespace);
  if (argument !== undefined) query.set("name", argument);
  const list = await io.ask(await socketPath(context), `/v1/services?${query}`, "ServiceList");
  const table = () => {
    if (list.items.length === 0) return "";
    return argument === undefined ? formatServices(list.items) : list.items.map(formatService).join("\n");
  };
  await print(context, list, table);
  if (list.items.length > 0) return EXIT.ok.code;
  const where = namespace === undefined ? "" : ` in namespace "${namespace}"`;
  await io.err(
    argument === undefined ? `There are no services${where}.\n` : `There is no service "${argument}"${where}.\n`,
  );
  return argument === undefined ? EXIT.ok.code : EXIT.failed.code;
}

export async function showTunnels(context: CommandContext): Promise<number> {
  const { io, flags, argument } = context;
  const list = await io.ask(await socketPath(context), withName("/v1/tunnels", argument), "TunnelList");
  const paint = paintFor(context);
  const wide = flags.get("output") === "wide";
  await print(context, list, () => {
    if (list.items.length === 0) return "";
    if (argument === undefined) return formatTunnels(list.items, wide, paint);
    return list.items.map((tunnel) => formatTunnel(tunnel, paint)).join("\n");
  });
  if (list.items.length === 0) return await sayNobody(context);
  return list.items.every(({ state }) => state === "up") ? EXIT.ok.code : EXIT.unhealthy.code;
}

export async function showPeers(context: CommandContext): Promise<number> {
  const { io, flags, argument } = context;
  const list = await io.ask(await socketPath(context), withName("/v1/peers", argument), "PeerList");
  const wide = flags.get("output") === "wide";
  await print(context, list, () => (list.items.length === 0 ? "" : formatPeers(list.items, wide, paintFor(context))));
  if (list.items.length === 0) return await sayNobody(context);
  return list.items.every(({ path }) => path !== "down") ? EXIT.ok.code : EXIT.unhealthy.code;
}

function withName(path: string, name: string | undefined): string {
  return name === undefined ? path : `${path}?${new URLSearchParams({ name })}`;
}

/** @returns the exit status: no peers at all are no error, one that was asked for is */
async function sayNobody({ io, argument }: CommandContext): Promise<number> {
  if (argument !== undefined) {
    await io.err(`There is no peer "${argument}"; selvedge peers shows who there is.\n`);
    return EXIT.failed.code;
  }
  await io.err("This node has no peers: it is in no community, or has not heard of one yet.\n");
  return EXIT.ok.code;
}

export async function resolveName(context: CommandContext): Promise<number> {
  const { io, flags, argument = "" } = context;
  const socket = await socketPath(context);
  const { dns } = await io.ask(socket, "/v1/status", "Status");
  const type = flags.get("type") ?? "A";
  const names = searchNames(argument, flags.get("namespace") ?? "default", dns.domain);
  let resolution: Resolution | undefined;
  for (const name of names) {
    resolution = await io.ask(socket, `/v1/resolve?${new URLSearchParams({ name, type })}`, "Resolution");
    if (found(resolution)) break;
  }
  if (resolution === undefined) return EXIT.failed.code;
  const last = resolution;
  await print(context, last, () => formatResolution(last));
  return found(last) ? EXIT.ok.code : EXIT.failed.code;
}

function found(resolution: Resolution): boolean {
  return resolution.rcode === "NOERROR" && resolution.answers.length > 0;
}
