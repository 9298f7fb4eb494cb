import type { Attachment } from "./reservation.ts";

/** What stands on our links, so that each can be told from others', and whose it is. */
const ALIAS = "selvedge";

/**
 * The node's end of a pod's link: of the same name each time, so that it is found without the pod's network namespace,
 * and looking like the stock plugin's.
 */
export function vethName(network: string, { containerId, ifName }: Attachment): string {
  return `veth${fnv1a(`${network}\0${containerId}\0${ifName}`).toString(16).padStart(8, "0")}`;
}

/** What `ip link` shows of it. */
export function linkAlias(network: string, { containerId, ifName }: Attachment): string {
  return [ALIAS, network, containerId, ifName].join(" ");
}

/** @returns undefined for another program's */
export function parseLinkAlias(network: string, alias: string | undefined): Attachment | undefined {
  const [program, net, containerId, ifName] = (alias ?? "").split(" ");
  if (program !== ALIAS || net !== network || containerId === undefined || ifName === undefined) return undefined;
  return { containerId, ifName };
}

/** FNV-1a, 32 bits: a node has some hundred pods, and a name that is taken is an error, not a mix-up. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}
