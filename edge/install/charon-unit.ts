import type { Layout } from "./plan.ts";
import { RESTART_TIMES, SANDBOX } from "./unit-parts.ts";

/** Debian's, Ubuntu's and Fedora's strongSwan packages have it there. */
const CHARON = "/usr/sbin/charon-systemd";

/**
 * The service manager's side of the charon that carries the tunnels: Debian's own program with our settings, and nothing of
 * the agent's life. An agent that starts, stops or is replaced touches no tunnel.
 *
 * - CAP_NET_ADMIN: SAs, policies, the TUN device, packet marks. CAP_NET_BIND_SERVICE: port 500.
 * - CAP_CHOWN: charon gives its socket to the group of its settings, and does not listen where it may not.
 */
export function formatCharonUnit({ binary }: Pick<Layout, "binary">): string {
  return `# strongSwan's charon for Selvedge's tunnels. The agent loads keys and connections into it.
[Unit]
Description=IPsec for Selvedge (strongSwan)
# Debian's own charon comes up with its package. It may carry an administrator's tunnels, so it is not stopped from here:
# which of the two gets the ports is not left to chance, and ours says who has them and tries again.
After=network-pre.target nftables.service strongswan.service strongswan-starter.service
Wants=network-pre.target
# Without strongSwan there are no tunnels; services and names do not need it.
ConditionPathExists=${CHARON}
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
Environment=STRONGSWAN_CONF=/run/selvedge/charon/strongswan.conf
UnsetEnvironment=BUN_BE_BUN BUN_OPTIONS
# What it is told depends on whether this kernel does ESP. It is not started where another charon is used.
ExecCondition=${binary} charon-config
ExecStart=${CHARON}
WorkingDirectory=/
Restart=always
${RESTART_TIMES}

RuntimeDirectory=selvedge/charon
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes

CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_CHOWN
${SANDBOX}
PrivateMounts=yes
# ESP in user space has a TUN device; there is no other.
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
SystemCallFilter=@system-service
SystemCallFilter=~@resources

# 9 MB, and about 30 KB a tunnel.
MemoryMax=512M
TasksMax=64
LimitNOFILE=65536
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
`;
}
