import { join } from "node:path";
import type { KubernetesObject } from "../lab/service-objects.ts";
import { toolPath } from "./in-cluster.ts";

const ROOT = join(import.meta.dir, "../..");
export const CHART = join(ROOT, "cloud/chart");

/** No more than has to be said. */
export const FLANNEL = {
  cluster: {
    name: "paris",
    cniType: "flannel",
    clusterCIDR: ["10.1.0.0/16"],
    connectorPublicAddresses: ["198.51.100.1"],
  },
};

/** Two families. */
export const CALICO = {
  cluster: {
    ...FLANNEL.cluster,
    cniType: "calico",
    serviceClusterIPRange: ["10.96.0.0/16", "fd00:10:96::/112"],
    edgePodCIDR: "10.200.0.0/16",
    edgePodCIDR6: "fd00:200::/64",
  },
};

export interface HelmResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What scripts/render makes of it, with whatever it is told besides. @returns the path of the chart's file */
export function packagedChart(...words: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([join(ROOT, "scripts/render"), ...words]);
  if (exitCode !== 0) throw new Error(`Cannot render as scripts/render failed: ${stderr}`);
  return join(ROOT, stdout.toString().split("\n", 1)[0] ?? "");
}

/** @param values on standard input: for --values=- */
export function runHelm(argv: readonly string[], values?: object): HelmResult {
  const kubeconfig = process.env["SELVEDGE_TEST_KUBECONFIG"];
  const { exitCode, stdout, stderr } = Bun.spawnSync([toolPath("helm"), ...argv], {
    env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent", ...(kubeconfig && { KUBECONFIG: kubeconfig }) },
    stdin: Buffer.from(JSON.stringify(values ?? {})),
  });
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** @returns standard output @throws with what it printed, unless it succeeded */
export function helm(argv: readonly string[], values?: object): string {
  const { code, stdout, stderr } = runHelm(argv, values);
  if (code !== 0) throw new Error(`Cannot run helm ${argv.join(" ")}: exit ${code}: ${stderr}${stdout}`);
  return stdout;
}

const TEMPLATE = ["template", "fabedge", CHART, "--namespace=fabedge", "--kube-version=1.22.0", "--values=-"];

/** The chart's objects with these values, CRDs left out. */
export function render(values: object): readonly KubernetesObject[] {
  return objectsOf(helm(TEMPLATE, values));
}

/** @returns why the chart refuses these values */
export function refusal(values: object): string {
  const { code, stderr } = runHelm(TEMPLATE, values);
  if (code === 0) throw new Error("Cannot tell why as the values are taken");
  return stderr;
}

export function objectsOf(yaml: string): readonly KubernetesObject[] {
  const documents = Bun.YAML.parse(yaml);
  return (Array.isArray(documents) ? documents : [documents]).filter((each) => each !== null);
}

/** A container's command line and environment in the operator's Deployment. */
export function operatorCommand(deployment: KubernetesObject): {
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
} {
  const { args, env } = (deployment as unknown as Deployment).spec.template.spec.containers[0];
  return { words: args, environment: Object.fromEntries((env ?? []).map(({ name, value }) => [name, value])) };
}

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly [
          {
            readonly args: readonly string[];
            readonly env?: readonly { readonly name: string; readonly value: string }[];
          },
        ];
      };
    };
  };
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}
