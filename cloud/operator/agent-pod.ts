import type { AgentArguments } from "./agent-arguments.ts";
import { fnv1a } from "./fnv.ts";
import { agentConfigName, agentTlsName } from "./object-names.ts";
import type { OperatorSettings } from "./settings.ts";

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly readOnly?: true;
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly args?: readonly string[];
  readonly securityContext: { readonly privileged: true };
  readonly volumeMounts: readonly Mount[];
}

export interface AgentPodSpec {
  readonly nodeName: string;
  readonly hostNetwork: true;
  readonly restartPolicy: "Always";
  readonly automountServiceAccountToken: false;
  readonly imagePullSecrets?: readonly { readonly name: string }[];
  readonly tolerations: readonly [{ readonly operator: "Exists" }];
  readonly containers: readonly Container[];
  readonly volumes: readonly Readonly<Record<string, unknown>>[];
}

/** As klog's -v is in FabEdge's pods. */
const LAST_ARGUMENT = "log-level";

/** Where the volumes below put things; an annotation does not move them. */
const MOUNTED = { "local-cert": "tls.crt", "tunnels-conf": "/etc/fabedge/tunnels.yaml" };

/**
 * The pod that runs the agent and charon on a node. No container prepares the node, as FabEdge's does: the agent puts
 * its own CNI files beside those of others and takes nobody's rules away.
 */
export function planAgentPod(node: string, values: AgentArguments, settings: OperatorSettings): AgentPodSpec {
  const { image, strongswanImage, imagePullPolicy, imagePullSecrets } = settings.agent;
  const privileged = { imagePullPolicy, securityContext: { privileged: true } } as const;
  const mount = (name: string, mountPath: string): Mount => ({ name, mountPath });
  const readOnly = (name: string, mountPath: string): Mount => ({ name, mountPath, readOnly: true });
  return {
    nodeName: node,
    hostNetwork: true,
    restartPolicy: "Always",
    automountServiceAccountToken: false,
    ...(imagePullSecrets.length === 0 ? {} : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
    tolerations: [{ operator: "Exists" }],
    containers: [
      {
        name: "agent",
        image,
        args: ["run", `--node-name=${node}`, ...formatArguments(values)],
        ...privileged,
        volumeMounts: [
          readOnly("netconf", "/etc/fabedge"),
          mount("cni-config", "/etc/cni/net.d"),
          mount("cni-bin", "/opt/cni/bin"),
          mount("var-run", "/var/run"),
          readOnly("lib-modules", "/lib/modules"),
          readOnly("ipsec-d", "/etc/ipsec.d"),
          mount("state", "/var/lib/selvedge"),
        ],
      },
      {
        name: "strongswan",
        image: strongswanImage,
        ...privileged,
        volumeMounts: [
          mount("var-run", "/var/run"),
          readOnly("ipsec-d", "/etc/ipsec.d"),
          { name: "ipsec-secrets", mountPath: "/etc/ipsec.secrets", subPath: "ipsec.secrets", readOnly: true },
        ],
      },
    ],
    volumes: [
      { name: "netconf", configMap: { name: agentConfigName(node) } },
      hostFolder("cni-config", "/etc/cni/net.d"),
      hostFolder("cni-bin", "/opt/cni/bin"),
      { name: "var-run", emptyDir: {} },
      { name: "lib-modules", hostPath: { path: "/lib/modules", type: "" } },
      {
        name: "ipsec-d",
        secret: {
          secretName: agentTlsName(node),
          items: [
            { key: "ca.crt", path: "cacerts/ca.crt" },
            { key: "tls.crt", path: "certs/tls.crt" },
            { key: "tls.key", path: "private/tls.key" },
          ],
        },
      },
      {
        name: "ipsec-secrets",
        secret: { secretName: agentTlsName(node), items: [{ key: "ipsec.secrets", path: "ipsec.secrets" }] },
      },
      // On the host, so that what the node works from while the cloud is away outlives the pod.
      hostFolder("state", "/var/lib/selvedge"),
    ],
  };
}

/** Told from a pod of another spec by a label. */
export function hashPodSpec(spec: AgentPodSpec): string {
  return fnv1a(JSON.stringify(spec)).toString(16).padStart(8, "0");
}

function formatArguments(values: AgentArguments): readonly string[] {
  const all = new Map([...values, ...Object.entries(MOUNTED)]);
  const names = [...all.keys()].filter((name) => name !== LAST_ARGUMENT).sort();
  if (all.has(LAST_ARGUMENT)) names.push(LAST_ARGUMENT);
  return names.map((name) => `--${name}=${all.get(name)}`);
}

function hostFolder(name: string, path: string) {
  return { name, hostPath: { path, type: "DirectoryOrCreate" } };
}
