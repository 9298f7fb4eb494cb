/** Of a service that nobody is there to start again, and that leaves in the kernel what goes on without it. */
export const RESTART_TIMES = `# Half a second away at first; then longer, up to a minute. systemd before 254 stays at 500 ms.
RestartSec=500ms
RestartSteps=8
RestartMaxDelaySec=1min
TimeoutStopSec=10s`;

/** What neither the agent nor charon has to do with: all but the network of this host, and folders of their own. */
export const SANDBOX = `UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectProc=invisible
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
KeyringMode=private
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM`;
