/** What the text depends on. */
export interface CharonFacts {
  /** An edge node has tens of peers, a connector thousands, many of them behind one address. */
  readonly role: "edge" | "connector";
  /** Whether the kernel does ESP; else charon does it, behind the TUN device ipsec0. */
  readonly kernelEsp: boolean;
  /** Where it listens for us. */
  readonly viciSocket: string;
  /** Links whose addresses no peer can reach: our bridge and service link. */
  readonly ignoredLinks: readonly string[];
  /** The journal, unless told. A container has none. */
  readonly log?: "journal" | "stderr";
}

/** Sections and values, in the order in which they are written. */
interface Settings {
  readonly [name: string]: string | number | Settings;
}

/**
 * ESP of charon's own would meet our routes again on its way out: its packets carry this mark, and its rule for table 220
 * lets them pass. Also what makes selectors possible that contain the peer's own address.
 */
export const LIBIPSEC_FWMARK = 0x42;

/** Charon's own routes, and the priority of its rule: behind those of the tables main (32766) and default (32767). */
export const CHARON_TABLE = 222;
const CHARON_RULE_PRIORITY = 40_000;

/** IKEv2 with certificates and nothing else: no EAP, XAuth, RADIUS, fetching of URLs, scripts or leases. */
const PLUGINS = [
  ...["random", "nonce", "openssl", "kdf", "pem", "pkcs1", "pkcs8", "x509", "pubkey", "constraints"],
  ...["kernel-netlink", "socket-default", "vici"],
];

/**
 * The strongswan.conf(5) of the charon that carries our tunnels, for strongSwan 5.9.8 and later; what a version does not
 * know it ignores. Each value that differs from charon's own has its reason here.
 */
export function formatCharonConfig(facts: CharonFacts): string {
  const { role, kernelEsp, viciSocket, ignoredLinks, log = "journal" } = facts;
  const connector = role === "connector";
  const mark = `0x${LIBIPSEC_FWMARK.toString(16)}`;
  const settings: Settings = {
    load: (kernelEsp ? PLUGINS : ["kernel-libipsec", ...PLUGINS]).join(" "),
    // Which routes there are, the agent and the connector decide. The rule for its own table charon makes all the same, and
    // takes it away when it ends; and kernel-libipsec adds routes whatever it is told, one to each peer's address for all of
    // the node among them. Here nothing but a packet without any other route finds them, and rule 220 is ours alone.
    install_routes: "no",
    install_virtual_ip: "no",
    routing_table: CHARON_TABLE,
    routing_table_prio: CHARON_RULE_PRIORITY,
    // Tables 220 and 221 lead into tunnels: no way for IKE.
    ignore_routing_tables: "220 221",
    ...(ignoredLinks.length === 0 ? {} : { interfaces_ignore: ignoredLinks.join(",") }),
    // After a change of addresses: is the old path still one? A roaming node otherwise waits for its next DPD.
    check_current_path: "yes",
    // A peer that is silent is given up after 13 to 17 s (charon: 165 s). Eight packets in that time: where a fifth of all
    // is lost in either direction, 3 of 10,000 exchanges fail.
    retransmit_timeout: "1.0",
    retransmit_base: "1.2",
    retransmit_tries: 7,
    // Percent: nodes that lost the same connector do not come back in step.
    retransmit_jitter: 20,
    // Whoever has not authenticated in the time of all retransmissions does not come back.
    half_open_timeout: 20,
    // Many routers forget a UDP mapping after 30 s, some after 20.
    keep_alive: "15s",
    // Half-open peers at one address before it is ignored (charon: 5), and before addresses are verified by cookies
    // (charon: 30, 3 of them at one): a fleet behind one router comes back at once. Blocking begins above cookies.
    block_threshold: connector ? 5000 : 200,
    cookie_threshold: connector ? 1000 : 100,
    cookie_threshold_ip: connector ? 1000 : 100,
    // A search per packet: charon's table is one list under one lock.
    ikesa_table_size: connector ? 4096 : 256,
    ikesa_table_segments: connector ? 16 : 4,
    plugins: {
      vici: { socket: `unix://${viciSocket}` },
      ...(kernelEsp
        ? {}
        : {
            // Before kernel-netlink, which would offer ESP that the kernel does not have.
            "kernel-libipsec": { allow_peer_ts: "yes", fwmark: `!${mark}` },
            "kernel-netlink": { fwmark: `!${mark}` },
            "socket-default": { fwmark: mark },
          }),
    },
    ...(log === "journal" ? { journal: LOGGED } : { filelog: { stderr: LOGGED } }),
  };
  return `${HEAD}charon-systemd {\n${formatSettings(settings, "  ")}}\n`;
}

const LOGGED: Settings = { default: 1, ike_name: "yes" };

const HEAD = `# Made by Selvedge for each start of its charon: changes are lost.\n`;

function formatSettings(settings: Settings, indent: string): string {
  return Object.entries(settings)
    .map(([name, value]) =>
      typeof value === "object"
        ? `${indent}${name} {\n${formatSettings(value, `${indent}  `)}${indent}}\n`
        : `${indent}${name} = ${quoted(String(value))}\n`,
    )
    .join("");
}

/** Between quotes, everything but a quote and a backslash stands for itself. */
function quoted(value: string): string {
  return /^[\w.!:/-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}
