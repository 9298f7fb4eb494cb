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

interface Probe {
  readonly httpGet?: { readonly host: string; readonly port: number; readonly path: string };
  readonly exec?: { readonly command: readonly string[] };
  readonly initialDelaySeconds?: number;
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly args?: readonly string[];
  readonly securityContext: { readonly privileged: true };
  readonly resources: {
    readonly requests: { readonly cpu: string; readonly memory: string };
    readonly limits: { readonly memory: string };
  };
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly volumeMounts: readonly Mount[];
}

export interface AgentPodSpec {
  readonly nodeName: string;
  readonly hostNetwork: true;
  readonly restartPolicy: "Always";
  readonly priorityClassName: "system-node-critical";
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

/** The agent's own, on the node's network. */
const HTTP_BIND = "127.0.0.1:10560";

/**
 * Of the agent's memory BENCHMARKS.md tells (74 MB with 1,000 services); the other requests are chosen, so that a busy node
 * leaves them some processor, and charon time to answer its peers. The limits are those of their units in host mode.
 */
const AGENT_RESOURCES = { requests: { cpu: "100m", memory: "96Mi" }, limits: { memory: "512Mi" } } as const;
const CHARON_RESOURCES = { requests: { cpu: "50m", memory: "32Mi" }, limits: { memory: "512Mi" } } as const;

/** A program that is started for the question is a tenth of a second's work on a slow node: it is asked rarely. */
const CHARON_PROBE: Probe = {
  exec: { command: ["swanctl", "--stats", "--uri", "unix:///var/run/charon.vici"] },
  initialDelaySeconds: 30,
  periodSeconds: 30,
  timeoutSeconds: 10,
  failureThreshold: 3,
};

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
    // Its kubelet makes room for it, and takes it away last.
    priorityClassName: "system-node-critical",
    automountServiceAccountToken: false,
    ...(imagePullSecrets.length === 0 ? {} : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
    tolerations: [{ operator: "Exists" }],
    containers: [
      {
        name: "agent",
        image,
        args: ["run", `--node-name=${node}`, ...formatArguments(values)],
        ...privileged,
        resources: AGENT_RESOURCES,
        ...planAgentProbes(values),
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
        resources: CHARON_RESOURCES,
        livenessProbe: CHARON_PROBE,
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

/** As the watchdog of host mode: an agent that stands still for half a minute is started again. */
function planAgentProbes(values: AgentArguments): Pick<Container, "livenessProbe" | "readinessProbe"> {
  const bind = values.get("http-bind") ?? HTTP_BIND;
  const [, six, four, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(bind) ?? [];
  const [host, port] = [six ?? four ?? "", Number(digits)];
  // Port 0 is one that nobody knows before; of what is no address the agent tells by itself.
  if (!(port >= 1 && port <= 65_535)) return {};
  const probe = (path: string): Probe => ({
    httpGet: { host, port, path },
    periodSeconds: 10,
    timeoutSeconds: 5,
    failureThreshold: 3,
  });
  return { livenessProbe: { ...probe("/livez"), initialDelaySeconds: 10 }, readinessProbe: probe("/readyz") };
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
