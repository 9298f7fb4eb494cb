import { ipFamily, type Prefix } from "../../src/base/ip.ts";
import { NAME_LENGTH_MAX } from "../../src/kube/objects/metadata.ts";
import type { OptionValues } from "./option-values.ts";
import { AGENT_MODES, DEFAULT_PLACE, type OperatorSettings } from "./settings.ts";
import { checkSettings } from "./settings-check.ts";

/** FabEdge's names and defaults; what has none has to be given. */
export const SETTINGS_OPTIONS = {
  cluster: undefined,
  "cluster-role": "host",
  zone: DEFAULT_PLACE,
  region: DEFAULT_PLACE,
  namespace: "fabedge",
  "cni-type": undefined,
  "cluster-cidr": undefined,
  "connector-subnets": "",
  "connector-public-addresses": undefined,
  "connector-public-port": "500",
  "connector-as-mediator": "false",
  "edge-labels": "node-role.kubernetes.io/edge=",
  "edge-pod-cidr": "",
  "edge-pod-cidr6": "",
  "edge-cidr-mask-size": "24",
  "edge-cidr-mask-size6": "64",
  "auto-keep-ippools": "true",
  "endpoint-id-format": "C=CN, O=fabedge.io, CN={node}",
  "cert-organization": "fabedge.io",
  "agent-mode": "host",
  "agent-image": "selvedge/selvedge:latest",
  "agent-strongswan-image": "selvedge/strongswan:latest",
  "agent-image-pull-policy": "IfNotPresent",
  "agent-image-pull-secrets": "",
} as const satisfies Readonly<Record<string, string | undefined>>;

type Name = keyof typeof SETTINGS_OPTIONS;

const AGENT_ARGUMENT = "AGENT_ARG_";

/** @param environment arguments of every agent: AGENT_ARG_LOG_LEVEL=5 is --log-level=5 */
export function readSettings(
  values: OptionValues<Name>,
  environment: Readonly<Record<string, string | undefined>>,
): OperatorSettings {
  const settings: OperatorSettings = {
    cluster: values.name("cluster"),
    role: values.oneOf("cluster-role", ["host", "member"]),
    zone: readPlace(values, "zone"),
    region: readPlace(values, "region"),
    namespace: values.name("namespace"),
    cni: values.oneOf("cni-type", ["flannel", "calico"]),
    clusterCidrs: values.prefixes("cluster-cidr"),
    connector: {
      subnets: values.prefixes("connector-subnets"),
      publicAddresses: values.list("connector-public-addresses"),
      publicPort: values.whole("connector-public-port", 1, 65_535),
      mediator: values.yes("connector-as-mediator"),
    },
    edgeLabels: Object.fromEntries(values.list("edge-labels").map((label) => splitLabel(label))),
    edgePools: [
      ...values.prefixes("edge-pod-cidr").map((cidr) => {
        checkFamily(values, "edge-pod-cidr", cidr, 4);
        return { cidr, blockLength: values.whole("edge-cidr-mask-size", 1, 32) };
      }),
      ...values.prefixes("edge-pod-cidr6").map((cidr) => {
        checkFamily(values, "edge-pod-cidr6", cidr, 6);
        return { cidr, blockLength: values.whole("edge-cidr-mask-size6", 1, 128) };
      }),
    ],
    keepIpPools: values.yes("auto-keep-ippools"),
    endpointIdFormat: values.text("endpoint-id-format"),
    certificateOrganization: values.text("cert-organization"),
    agent: {
      mode: values.oneOf("agent-mode", AGENT_MODES),
      image: values.text("agent-image"),
      strongswanImage: values.text("agent-strongswan-image"),
      imagePullPolicy: values.oneOf("agent-image-pull-policy", ["Always", "IfNotPresent", "Never"]),
      imagePullSecrets: values.list("agent-image-pull-secrets"),
      arguments: agentArguments(environment),
    },
  };
  const [problem] = checkSettings(settings);
  return problem === undefined ? settings : values.contradict(`${problem.message}. ${problem.hint}`);
}

function agentArguments(environment: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const entries = Object.entries(environment).flatMap(([name, value]) =>
    name.startsWith(AGENT_ARGUMENT) && value !== undefined
      ? [[name.slice(AGENT_ARGUMENT.length).toLowerCase().replaceAll("_", "-"), value] as const]
      : [],
  );
  return Object.fromEntries(entries);
}

function checkFamily(values: OptionValues<Name>, name: Name, cidr: Prefix, family: 4 | 6): void {
  if (ipFamily(cidr.address) !== family) values.refuse(name, `a network of IPv${family}`, cidr.address);
}

/** As FabEdge's service-hub takes them: any text with a letter or a digit in it. */
function readPlace(values: OptionValues<Name>, name: "zone" | "region"): string {
  const text = values.text(name).trim();
  const fits = text.length <= NAME_LENGTH_MAX && /[\p{L}\p{N}]/u.test(text);
  return fits ? text : values.refuse(name, `a text with a letter or a digit, of at most ${NAME_LENGTH_MAX}`, text);
}

function splitLabel(label: string): readonly [string, string] {
  const at = label.indexOf("=");
  return at < 0 ? [label, ""] : [label.slice(0, at), label.slice(at + 1)];
}
