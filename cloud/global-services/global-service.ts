import { type DecodeError, ok, type Result } from "../../src/base/result.ts";
import { parseJson } from "../../src/kube/json-view.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { CREATED_BY, CREATED_BY_LABEL } from "../../src/kube/objects/created-by.ts";
import { GLOBAL_ENDPOINTS_MAX } from "../../src/kube/objects/global-service.ts";
import { NAME_LENGTH_MAX } from "../../src/kube/objects/metadata.ts";
import { SERVICE_PORTS_MAX } from "../../src/kube/objects/service.ts";
import { GLOBAL_SERVICES } from "../../src/kube/resource.ts";

type Json = Readonly<Record<string, unknown>>;

/** FabEdge's schema, as it is written: what another cluster says of its endpoints is handed on word for word. */
export interface GlobalServiceSpec {
  readonly type: "ClusterIP" | "Headless";
  readonly ports: readonly Json[];
  readonly endpoints: readonly Json[];
}

/** A GlobalService that is there. */
export interface FoundGlobalService {
  readonly spec: GlobalServiceSpec;
  /** This operator has made it, so that it may take it away: service-hub takes only what bears its own name. */
  readonly ours: boolean;
}

export const GLOBAL_SERVICE_DECODER: ObjectDecoder<FoundGlobalService> = {
  resource: GLOBAL_SERVICES,
  decode: parseFoundGlobalService,
};

export function parseFoundGlobalService(json: unknown): Result<FoundGlobalService, DecodeError> {
  const read = parseJson(json, (object) => {
    const spec = object.field("spec");
    const label = object.field("metadata").field("labels").field(CREATED_BY_LABEL);
    for (const endpoint of spec.field("endpoints").array(GLOBAL_ENDPOINTS_MAX)) {
      endpoint.field("cluster").optionalString(NAME_LENGTH_MAX);
      if (endpoint.absent) endpoint.refuse("missing");
    }
    spec.field("ports").array(SERVICE_PORTS_MAX);
    return {
      type: spec.field("type").oneOf(["ClusterIP", "Headless"], "ClusterIP"),
      ours: label.optionalString(NAME_LENGTH_MAX) === CREATED_BY,
    };
  });
  if (!read.ok) return read;
  const { ports, endpoints } = (json as { readonly spec?: Partial<GlobalServiceSpec> } | null)?.spec ?? {};
  const spec = { type: read.value.type, ports: ports ?? [], endpoints: endpoints ?? [] };
  return ok({ spec, ours: read.value.ours });
}

export function clusterOf(endpoint: Json): string {
  return String(endpoint["cluster"] ?? "");
}
