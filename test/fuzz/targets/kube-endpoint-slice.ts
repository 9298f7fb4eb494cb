import { parseEndpointSlice } from "../../../src/kube/objects/endpoint-slice.ts";
import { kubeObjectTarget } from "../kube-object.ts";

export const target = kubeObjectTarget("EndpointSlice", parseEndpointSlice);
