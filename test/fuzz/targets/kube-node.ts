import { parseNode } from "../../../src/kube/objects/node.ts";
import { kubeObjectTarget } from "../kube-object.ts";

export const target = kubeObjectTarget("Node", parseNode);
