/**
 * FabEdge's agent arguments that this program does not have, and why: manifests and annotations that carry them keep
 * working, with a warning. Those that it has are rows of options.ts.
 */
const PEERS = "there is no discovery of peers in this version";
const GONE = "FabEdge itself has removed it";

export const FABEDGE_ARGUMENTS: Readonly<Record<string, string>> = {
  "tunnel-init-timeout": "no call waits for a tunnel: charon tells when it is up",
  "sync-period": "changes are followed as they come, and everything is looked at again each minute",
  debounce: "changes that come together are taken together without waiting",
  "auto-networking": PEERS,
  "multicast-address": PEERS,
  "multicast-token": PEERS,
  "multicast-interval": PEERS,
  "endpoint-ttl": PEERS,
  "backup-interval": "what the node learns is on disk a second later",
  "dns-debug": "use --log-level=debug",
  "dns-probe": "/readyz of --http-bind is always there",
  workdir: "use --state-dir",
  v: "use --log-level",
  "use-xfrm": GONE,
  "xfrm-interface-name": GONE,
  "xfrm-interface-id": GONE,
  "enable-ipam": GONE,
  "services-conf": GONE,
};
