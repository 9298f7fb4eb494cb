import { formatSnapshot } from "../../../cloud/connector/snapshot.ts";
import { SecretText } from "../../../src/base/secret-text.ts";
import { CONNECTOR_CONFIG, parseConnectorText } from "../../../src/kube/objects/connector-documents.ts";
import { formatNodeConfig } from "../../../src/network/node-config-text.ts";
import type { TunnelEndpoint } from "../../../src/network/tunnel-endpoint.ts";
import { formatCharonConfig } from "../../../src/strongswan/charon-config.ts";
import { CHARON_SOCKET } from "../../../src/strongswan/charon-folder.ts";
import { ip, prefix } from "../../support/network-objects.ts";
import { CharonCertificates, type NodeCertificate } from "../charon-certificates.ts";

/** Nodes in namespaces of one machine, on one LAN. `gateway` stands for a pod: it is an address of the node's own. */
export const NODES = {
  e1: { address: "192.0.2.1", subnet: "10.244.1.0/24", gateway: "10.244.1.1" },
  e2: { address: "192.0.2.2", subnet: "10.244.2.0/24", gateway: "10.244.2.1" },
  c1: { address: "192.0.2.3", subnet: "10.244.3.0/24", gateway: "10.244.3.1" },
} as const;
export type NodeName = keyof typeof NODES;

export const CONNECTOR = "paris.connector";
/** Of services, which a connector has besides pods. */
export const SERVICE_SUBNET = "10.96.0.0/16";

/** make-node NAME ADDRESS: a namespace with a link, and /run and /opt of its own. `on NAME COMMAND` runs there. */
const MAKE_NODE = `#!/bin/bash
set -e
unshare --net --mount setsid sleep infinity </dev/null >/dev/null 2>&1 &
mkdir -p /nodes && echo $! >/nodes/$1
# It is in its namespaces when the last program has begun.
until [ "$(cat /proc/$!/comm)" = sleep ]; do sleep 0.05; done
[ -e /sys/class/net/lan ] || { ip link add lan type bridge; ip link set lan up; }
ip link add port-$1 type veth peer name link-$1
ip link set port-$1 master lan up
ip link set link-$1 netns $(cat /nodes/$1)
on $1 mount -t tmpfs none /run
on $1 mount -t tmpfs none /opt
on $1 ip link set lo up
on $1 ip address add $2/24 dev link-$1
on $1 ip link set link-$1 up
`;
const ON = `#!/bin/bash
name=$1; shift
exec nsenter --target $(cat /nodes/$name) --net --mount "$@"
`;

const CHARON = `env STRONGSWAN_CONF=/run/selvedge/charon/strongswan.conf setsid /usr/sbin/charon-systemd </dev/null >/tmp/$1.charon 2>&1 &`;

const START_EDGE = `#!/bin/bash
set -e
on $1 selvedge charon-config
on $1 ${CHARON}
on $1 setsid selvedge run --node-name=$1 --source=hub --source-url=http://127.0.0.1:1 --enable-dns=false --enable-proxy=false \\
  --state-dir=/var/lib/selvedge-$1 --cni-conf-path=/var/lib/cni-$1 --tunnels-conf=/etc/fabedge/$1/tunnels.yaml \\
  --local-cert=/etc/ipsec.d/$1/certs/tls.crt </dev/null >/tmp/$1.agent 2>&1 &
`;

/** What the run before this one has heard of an API server that is away now. */
const START_CONNECTOR = `#!/bin/bash
set -e
on $1 ip link add cni0 type bridge
on $1 ip address add ${NODES.c1.gateway}/24 dev cni0
on $1 ip link set cni0 up
on $1 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
on $1 mkdir -p -m 700 /run/selvedge/charon /run/selvedge-connector/state
on $1 cp /etc/connector/strongswan.conf /run/selvedge/charon
on $1 cp /etc/connector/snapshot.json /run/selvedge-connector/state
on $1 ${CHARON}
on $1 setsid selvedge-cloud connector --kubeconfig=/etc/connector/kubeconfig --node-name=$1 </dev/null >/tmp/$1.agent 2>&1 &
`;

const KUBECONFIG = `apiVersion: v1
kind: Config
current-context: away
clusters: [{ name: away, cluster: { server: "http://127.0.0.1:1" } }]
users: [{ name: nobody, user: {} }]
contexts: [{ name: away, context: { cluster: away, user: nobody } }]
`;

/** For a machine's `files`: what the nodes know, and `make-node`, `on`, `start-edge` and `start-connector`. */
export function fabricNodeFiles(): Record<string, string> {
  const authority = new CharonCertificates();
  const certificates: Readonly<Record<NodeName, NodeCertificate>> = {
    e1: authority.issue("paris.e1"),
    e2: authority.issue("paris.e2"),
    c1: authority.issue(CONNECTOR),
  };
  const endpoint = (name: NodeName): TunnelEndpoint => ({
    id: certificates[name].id,
    name: certificates[name].name,
    publicAddresses: [NODES[name].address],
    port: undefined,
    subnets: [prefix(NODES[name].subnet), ...(name === "c1" ? [prefix(SERVICE_SUBNET)] : [])],
    nodeSubnets: [ip(NODES[name].address)],
    type: name === "c1" ? "Connector" : "EdgeNode",
  });
  const configOf = (own: NodeName) => {
    const peers = (Object.keys(NODES) as NodeName[]).filter((name) => name !== own).map(endpoint);
    return formatNodeConfig({ endpoint: endpoint(own), peers, mediator: undefined, peerShards: 0 });
  };
  const edgeFiles = (own: NodeName) => ({
    [`/etc/fabedge/${own}/tunnels.yaml`]: configOf(own),
    [`/etc/ipsec.d/${own}/certs/tls.crt`]: certificates[own].certificate,
    [`/etc/ipsec.d/${own}/private/tls.key`]: certificates[own].privateKey,
    [`/etc/ipsec.d/${own}/cacerts/ca.crt`]: authority.authority,
  });
  const charon = { role: "connector", kernelEsp: true, viciSocket: CHARON_SOCKET, ignoredLinks: [] } as const;
  return {
    ...edgeFiles("e1"),
    ...edgeFiles("e2"),
    "/etc/connector/strongswan.conf": formatCharonConfig(charon),
    "/etc/connector/snapshot.json": snapshotOf(configOf("c1"), certificates.c1, authority.authority),
    "/etc/connector/kubeconfig": KUBECONFIG,
    "/usr/bin/make-node": MAKE_NODE,
    "/usr/bin/on": ON,
    "/usr/bin/start-edge": START_EDGE,
    "/usr/bin/start-connector": START_CONNECTOR,
  };
}

function snapshotOf(config: string, own: NodeCertificate, authorities: string): string {
  const document = parseConnectorText(CONNECTOR_CONFIG, config);
  if (!document.ok || document.value === undefined) throw new Error("Cannot read the connector's own configuration");
  const { address, subnet } = NODES.c1;
  return formatSnapshot({
    documents: new Map([[CONNECTOR_CONFIG, document.value]]),
    credentials: { certificates: own.certificate, key: new SecretText(own.privateKey), authorities },
    place: { uid: "c1", addresses: [ip(address)], prefixes: [prefix(subnet)] },
    publications: new Map(),
  });
}
