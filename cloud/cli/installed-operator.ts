import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { type OperatorOptions, parseOperatorOptions } from "../operator/operator-options.ts";
import type { ClusterView } from "./cluster-view.ts";
import { type Container, DEPLOYMENT_DECODER, WORKLOAD_POD_DECODER, type Workload } from "./workloads.ts";

/** The operator as somebody has installed it: its command line is where its settings are. */
export interface InstalledOperator {
  readonly workload: Workload;
  readonly image: string;
  readonly options: OperatorOptions;
}

/**
 * Looks at Deployments, and, for whoever may not, such as the operator's own account, at Pods.
 *
 * @throws SelvedgeError OPERATOR_UNKNOWN, OPERATOR_UNREADABLE
 */
export async function findOperator(cluster: ClusterView): Promise<InstalledOperator> {
  const found =
    findContainer(await allowedList(cluster, DEPLOYMENT_DECODER)) ??
    findContainer(await allowedList(cluster, WORKLOAD_POD_DECODER));
  if (found === undefined) {
    throw new SelvedgeError(`Cannot find the operator in namespace ${cluster.namespace}`, {
      code: "OPERATOR_UNKNOWN",
      blame: "user",
      retry: "never",
      hint: "Name the namespace of its Deployment with --namespace, or install the chart.",
    });
  }
  const { workload, container } = found;
  const words = container.args.slice(container.args.indexOf("operator") + 1);
  const options = parseOperatorOptions(words, container.environment);
  if (options.ok) return { workload, image: container.image, options: options.value };
  throw new SelvedgeError(
    `Cannot read the settings of ${workload.kind} ${workload.name} as this version does not take them: ${options.error.message}`,
    {
      code: "OPERATOR_UNREADABLE",
      blame: "user",
      retry: "never",
      hint: "Use the selvedge-cloud of the operator's own version, or correct the operator's arguments.",
    },
  );
}

export function isOperator({ args }: Container): boolean {
  return args.includes("operator") && args.some((word) => word.startsWith("--cluster"));
}

function findContainer(workloads: readonly Workload[]) {
  for (const workload of workloads) {
    const container = workload.containers.find(isOperator);
    if (container !== undefined) return { workload, container };
  }
  return undefined;
}

async function allowedList(cluster: ClusterView, decoder: ObjectDecoder<Workload>): Promise<readonly Workload[]> {
  try {
    return await cluster.list(decoder, { namespace: cluster.namespace });
  } catch (error) {
    if (errorCode(error) === "KUBE_FORBIDDEN") return [];
    throw error;
  }
}
