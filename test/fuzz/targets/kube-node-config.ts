import { parseNodeConfigMap } from "../../../src/kube/objects/node-documents.ts";
import { kubeObjectTarget } from "../kube-object.ts";

export const target = kubeObjectTarget("ConfigMap", parseNodeConfigMap);
