import { formatPrefix, ipFamily, type Prefix, prefixContains } from "../../src/base/ip.ts";
import { checkArgument } from "./agent-arguments.ts";
import type { Problem } from "./problem.ts";
import type { OperatorSettings } from "./settings.ts";

/** What settings contradict each other, or the samples of FabEdge's formats; with any, the operator does not start. */
export function checkSettings(settings: OperatorSettings): readonly Problem[] {
  const { cni, edgeLabels, edgePools, connector, clusterCidrs, endpointIdFormat, certificateOrganization, agent } =
    settings;
  const problems: Problem[] = [];
  const refuse = (message: string, hint: string) =>
    problems.push({ code: "OPERATOR_SETTINGS", severity: "failed", message, hint });
  if (cni === "calico" && !edgePools.some((pool) => ipFamily(pool.cidr.address) === 4)) {
    refuse("Cannot run beside Calico without an IPv4 network for edge pods", "Set --edge-pod-cidr.");
  }
  if (Object.keys(edgeLabels).length === 0) {
    refuse(
      "Cannot tell edge nodes from others as there is no label: every node would be one",
      "Set --edge-labels to node-role.kubernetes.io/edge=.",
    );
  }
  const families = edgePools.map(({ cidr }) => ipFamily(cidr.address));
  if (new Set(families).size < families.length) {
    refuse(
      `Cannot take edge pods' addresses from two networks of one family: current value is ${edgePools.map(({ cidr }) => formatPrefix(cidr)).join(", ")}`,
      "Set --edge-pod-cidr and --edge-pod-cidr6 to one network each.",
    );
  }
  for (const { cidr, blockLength } of edgePools) {
    const most = ipFamily(cidr.address) === 4 ? 32 : 128;
    if (blockLength <= cidr.length || blockLength > most) {
      refuse(
        `Cannot divide edge pod CIDR ${formatPrefix(cidr)} into parts of /${blockLength}`,
        `Set --edge-cidr-mask-size to more than ${cidr.length} and at most ${most}.`,
      );
    }
    const other = connector.subnets.find((subnet) => overlaps(subnet, cidr));
    if (other !== undefined) {
      refuse(
        `Cannot use edge pod CIDR ${formatPrefix(cidr)} as it overlaps service network ${formatPrefix(other)}`,
        "Set --edge-pod-cidr to a network that nothing else uses.",
      );
    }
  }
  if (connector.publicAddresses.length === 0) {
    refuse("Cannot connect edge nodes as the connector has no public address", "Set --connector-public-addresses.");
  }
  if (clusterCidrs.length === 0) {
    refuse("Cannot tell this cluster's pods as there is no cluster CIDR", "Set --cluster-cidr.");
  }
  if (!endpointIdFormat.includes("{node}")) {
    refuse(
      `Cannot make identities as the format has no {node}: current value is ${endpointIdFormat}`,
      "Set --endpoint-id-format to C=CN, O=ORGANIZATION, CN={node}.",
    );
  } else if (!endpointIdFormat.includes(`O=${certificateOrganization},`)) {
    refuse(
      `Cannot make identities as their organization is not the certificates': current values are ${endpointIdFormat} and ${certificateOrganization}`,
      "Set --endpoint-id-format and --cert-organization to the same organization.",
    );
  }
  for (const [name, value] of Object.entries(agent.arguments)) {
    const takes = checkArgument(name, value);
    if (takes !== undefined) {
      refuse(
        `Cannot give agents --${name} as it takes ${takes}: current value is ${value}`,
        "Correct the agents' arguments.",
      );
    }
  }
  return problems;
}

function overlaps(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? prefixContains(a, b.address) : prefixContains(b, a.address);
}
