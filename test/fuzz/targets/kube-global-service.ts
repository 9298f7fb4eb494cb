import { parseGlobalService } from "../../../src/kube/objects/global-service.ts";
import { kubeObjectTarget } from "../kube-object.ts";

export const target = kubeObjectTarget("GlobalService", parseGlobalService);
