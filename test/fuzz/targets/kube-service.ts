import { parseService } from "../../../src/kube/objects/service.ts";
import { kubeObjectTarget } from "../kube-object.ts";

export const target = kubeObjectTarget("Service", parseService);
