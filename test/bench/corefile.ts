/** The lines of CoreDNS' server block; KUBECONFIG stands for the file. */
export const CORE_DNS_PLAIN = `
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig KUBECONFIG
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
    ttl 30
  }
`;

/**
 * What kubeadm installs (cmd/kubeadm/app/phases/addons/dns/manifests.go, v1.34), with a kubeconfig instead of the pod's
 * own account. It keeps no answers of the cluster's zone.
 */
export const CORE_DNS_KUBEADM = kubeadmCorefile(
  9150,
  " {\n    disable success cluster.local\n    disable denial cluster.local\n  }",
);

/** The same as kubeadm installed it up to v1.29: the fastest that CoreDNS is at cluster names, up to 30 s late. */
export const CORE_DNS_ALL_CACHED = kubeadmCorefile(9160, "");

/** @param port the first of three, for health, readiness and metrics */
function kubeadmCorefile(port: number, cacheOptions: string): string {
  return `
  errors
  health 127.0.0.1:${port} {
    lameduck 5s
  }
  ready 127.0.0.1:${port + 1}
${CORE_DNS_PLAIN}
  prometheus 127.0.0.1:${port + 2}
  forward . /etc/resolv.conf {
    max_concurrent 1000
  }
  cache 30${cacheOptions}
  loop
  reload
  loadbalance
`;
}
