export interface Adapter {
  readonly file: string;
  /** The one outside thing that it touches. */
  readonly touches: string;
}

/**
 * The files outside src/linux and src/strongswan that touch the world, each for one reason. A capability keeps them
 * few and thin: what can be decided without the world is decided in a file that is not here.
 */
export const ADAPTERS: readonly Adapter[] = [
  { file: "cloud/hub/folder.ts", touches: "the folder of manifests" },
  { file: "cloud/hub/server.ts", touches: "the listening HTTP socket" },
  { file: "cloud/hub/state-folder.ts", touches: "the files of a hub's state" },
  { file: "cloud/hub/uid.ts", touches: "the runtime's SHA-256" },
  { file: "cloud/wiring/health-server.ts", touches: "the listening HTTP socket" },
  { file: "edge/cache/store.ts", touches: "the cache's files" },
  { file: "edge/cache/store-file.ts", touches: "one SQLite file" },
  { file: "edge/cli/control-client.ts", touches: "the agent's unix socket, as its client" },
  {
    file: "edge/cli/host-facts.ts",
    touches: "the state directory's disk, the source's port and charon's socket, for check",
  },
  { file: "edge/cli/process-io.ts", touches: "the command's streams and its configuration file" },
  { file: "edge/dns/resolv-conf-file.ts", touches: "resolv.conf" },
  { file: "edge/dns/tcp-server.ts", touches: "the listening TCP socket" },
  { file: "edge/dns/udp-server.ts", touches: "the listening UDP socket" },
  { file: "edge/dns/upstream-sockets.ts", touches: "sockets to upstream name servers" },
  { file: "edge/identity/watched-files.ts", touches: "the files of the node's identity, mounted or its own" },
  { file: "edge/install/apply.ts", touches: "the files of an installation" },
  { file: "cloud/join/join-server.ts", touches: "the HTTPS port where nodes join" },
  { file: "edge/join/ask-operator.ts", touches: "the operator, over HTTPS" },
  { file: "edge/join/key-files.ts", touches: "the files of the node's key" },
  { file: "edge/pod/address-store.ts", touches: "the files of pods' addresses" },
  { file: "edge/pod/conf-folder.ts", touches: "the folder of network configurations" },
  { file: "edge/pod/ifb-name.ts", touches: "the runtime's SHA-512" },
  { file: "edge/pod/plugin-folder.ts", touches: "the folder of network plugins" },
  { file: "edge/wiring/cloud-settings-file.ts", touches: "the file of what the cloud says of settings" },
  { file: "edge/wiring/cni-command.ts", touches: "the standard input of a plugin" },
  { file: "edge/service/health-check-ports.ts", touches: "the HTTP ports on which load balancers ask" },
  { file: "edge/service/userspace-relay.ts", touches: "TCP connections to backends" },
  { file: "edge/service/userspace-tcp.ts", touches: "the TCP sockets of services" },
  { file: "edge/service/userspace-udp.ts", touches: "the UDP sockets of services" },
  { file: "edge/status/control-server.ts", touches: "the agent's unix socket and its HTTP port" },
  { file: "edge/status/log-sink.ts", touches: "stderr" },
];
