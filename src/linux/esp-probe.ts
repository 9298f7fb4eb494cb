import { errorCode } from "../base/errors.ts";
import { encodeProbeStateAdd, encodeProbeStateDelete, type ProbeState } from "../wire/xfrm.ts";
import { NetlinkSocket } from "./netlink-socket.ts";

/** linux/netlink.h */
const NETLINK_XFRM = 6;

/** Between addresses for documentation (RFC 5737), so that no packet ever matches it. */
const PROBE: ProbeState = {
  source: Uint8Array.of(192, 0, 2, 1),
  destination: Uint8Array.of(192, 0, 2, 2),
  spi: 0x73656c76,
};

/** EEXIST: an earlier probe was interrupted between its two requests. */
const PRESENT = new Set(["EEXIST"]);
/** No xfrm_user, no esp4, no AES-GCM, as the kernel says it: the module is not there, or cannot be loaded. */
const MISSING = new Set(["EPROTONOSUPPORT", "EAFNOSUPPORT", "ENOENT", "ENOSYS", "EOPNOTSUPP"]);

/**
 * Whether the kernel does ESP: by adding an SA and deleting it at once, which loads the modules, as charon will.
 *
 * @throws SelvedgeError EPERM without CAP_NET_ADMIN, and whatever says neither yes nor no
 */
export function probeEsp(): boolean {
  let socket: NetlinkSocket | undefined;
  try {
    socket = new NetlinkSocket(NETLINK_XFRM);
    socket.request("ask the kernel for ESP", (writer, sequence) => encodeProbeStateAdd(writer, sequence, PROBE));
  } catch (error) {
    const code = errorCode(error);
    if (MISSING.has(code)) {
      socket?.close();
      return false;
    }
    if (!PRESENT.has(code)) {
      socket?.close();
      throw error;
    }
  }
  try {
    socket?.request("end the probe for ESP", (writer, sequence) => encodeProbeStateDelete(writer, sequence, PROBE));
    return true;
  } finally {
    socket?.close();
  }
}
