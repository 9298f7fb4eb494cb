import { OPTIONS } from "../config/options.ts";
import type { Layout } from "./plan.ts";
import { RESTART_TIMES, SANDBOX } from "./unit-parts.ts";

/** The last one has the addresses and host ports of pods, as the stock plugins have it. */
const CNI_FOLDERS = [
  ...[OPTIONS.cniConfPath, OPTIONS.cniBinPath].map(({ fallback }) => fallback({ hostname: "" })),
  "/var/lib/cni/networks",
];

/**
 * The service manager's side of the agent. It runs as root, for the keys that edgecore and kubelet keep for root alone,
 * and with no other power of root than these three:
 *
 * - CAP_NET_ADMIN: nftables, links, addresses, routes, conntrack.
 * - CAP_NET_BIND_SERVICE: DNS on port 53, service ports in user space.
 * - CAP_NET_RAW: echo requests through tunnels.
 */
export function formatUnit({ binary }: Layout): string {
  return `# Selvedge: services, names, pods and tunnels on this node, with or without the cloud.
[Unit]
Description=Selvedge edge network agent
# Pods find their names and services from the first moment; the cloud is not waited for. nftables.service flushes
# every table when it starts.
After=network-pre.target nftables.service
Before=edgecore.service kubelet.service
# Tunnels come with strongSwan; everything else does without.
Wants=network-pre.target selvedge-charon.service
# However often it fails, nobody is there to start it again.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
# Where container runtimes look for networks and plugins, and pods' addresses are; the agent can make no folder there.
ExecStartPre=+/bin/mkdir -p ${CNI_FOLDERS.join(" ")}
ExecStart=${binary} run
WorkingDirectory=/
# Either would make another program of it: the runtime itself, or one that loads code first.
UnsetEnvironment=BUN_BE_BUN BUN_OPTIONS
# The sockets of the names server: what is asked between two runs waits in them.
FileDescriptorStoreMax=128
WatchdogSec=30s
Restart=on-failure
${RESTART_TIMES}
# A wrong command line or configuration does not mend itself.
RestartPreventExitStatus=2 78

StateDirectory=selvedge
StateDirectoryMode=0700
RuntimeDirectory=selvedge
RuntimeDirectoryPreserve=yes

CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_NET_RAW
${SANDBOX}
ReadWritePaths=${CNI_FOLDERS.map((folder) => `-${folder}`).join(" ")}
PrivateDevices=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources @keyring
# Not MemoryDenyWriteExecute: JavaScript is compiled while it runs.

# 1,000 services take 86 MB, 10,000 take 170, and 260 while they come. These stop a leak from taking the node along.
MemoryHigh=256M
MemoryMax=512M
TasksMax=256
LimitNOFILE=65536
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
`;
}
