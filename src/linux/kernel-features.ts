import { errorCode } from "../base/errors.ts";
import { NLM_F_ACK, NLM_F_REQUEST } from "../wire/netlink.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "./netlink-socket.ts";

/** Why something cannot be used: a health condition's code, and what happened. */
export interface MissingFeature {
  readonly code: "NFT_MISSING" | "CAP_NET_ADMIN_MISSING" | "CONNTRACK_MISSING";
  readonly message: string;
  readonly hint: string;
}

/** nfnetlink messages that ask for nothing but an answer; each exists exactly where its subsystem does. */
const NFT_MSG_GETGEN = 0xa10;
const IPCTNL_MSG_CT_GET_STATS = 0x105;

/** @returns undefined when services can be put into nftables */
export function probeNftables(): MissingFeature | undefined {
  return probe(NFT_MSG_GETGEN, "nftables", {
    code: "NFT_MISSING",
    hint: "Load the module nf_tables, or keep --proxy-mode=auto: services are then carried in user space.",
  });
}

/** @returns undefined when the kernel tracks connections and lets us see them */
export function probeConntrack(): MissingFeature | undefined {
  return probe(IPCTNL_MSG_CT_GET_STATS, "connection tracking", {
    code: "CONNTRACK_MISSING",
    hint: "Load the module nf_conntrack_netlink: without it, UDP clients stay with an endpoint that is gone.",
  });
}

function probe(
  message: number,
  what: string,
  missing: Pick<MissingFeature, "code" | "hint">,
): MissingFeature | undefined {
  let socket: NetlinkSocket | undefined;
  try {
    socket = new NetlinkSocket(NETLINK_NETFILTER);
    socket.request(`ask the kernel for ${what}`, (writer, sequence) => {
      writer.beginMessage(message, NLM_F_REQUEST | NLM_F_ACK, sequence);
      writer.octets(0, 0, 0, 0);
      writer.endMessage();
    });
    return undefined;
  } catch (error) {
    if (errorCode(error) === "EPERM") {
      return {
        code: "CAP_NET_ADMIN_MISSING",
        message: `Cannot use ${what} as this process lacks a capability: CAP_NET_ADMIN is not among its effective ones`,
        hint: "Run as root, or with CAP_NET_ADMIN in the unit's AmbientCapabilities.",
      };
    }
    return {
      ...missing,
      message: `Cannot use ${what} as the kernel does not have it: it answered ${errorCode(error)}`,
    };
  } finally {
    socket?.close();
  }
}
