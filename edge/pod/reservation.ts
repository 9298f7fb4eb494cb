import { type Ip, parseIp } from "../../src/base/ip.ts";

/** Who has an address: an interface of a container. */
export interface Attachment {
  readonly containerId: string;
  readonly ifName: string;
}

/** host-local's layout: a file for each address, with its owner inside. Nodes change between the two without a clash. */
const SEPARATOR = "\r\n";

export function formatReservation({ containerId, ifName }: Attachment): string {
  return `${containerId}${SEPARATOR}${ifName}`;
}

/**
 * @returns undefined for a file that says nothing: its writer was killed before it wrote. Before CNI 0.6 there was no
 * interface in it.
 */
export function parseReservation(text: string): Attachment | undefined {
  const [containerId = "", ifName = ""] = text
    .trim()
    .split("\n")
    .map((line) => line.trim());
  return containerId === "" ? undefined : { containerId, ifName };
}

/** The address that a file's name is; undefined for what else lies there. */
export function reservedAddress(fileName: string): Ip | undefined {
  const ip = parseIp(fileName);
  return ip.ok ? ip.value : undefined;
}

export function isHeldBy(reservation: Attachment, attachment: Attachment): boolean {
  return (
    reservation.containerId === attachment.containerId &&
    (reservation.ifName === attachment.ifName || reservation.ifName === "")
  );
}
