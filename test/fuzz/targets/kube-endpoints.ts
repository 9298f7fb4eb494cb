import { parseEndpoints } from "../../../src/kube/objects/endpoints.ts";
import { kubeObjectTarget } from "../kube-object.ts";

export const target = kubeObjectTarget("Endpoints", parseEndpoints);
