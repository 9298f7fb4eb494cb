import type { Ip } from "../../src/base/ip.ts";
import { type DecodeError, ok, type Result } from "../../src/base/result.ts";
import { type JsonView, parseJson } from "../../src/kube/json-view.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { parseEndpointSlice, SLICE_ENDPOINTS_MAX } from "../../src/kube/objects/endpoint-slice.ts";
import { parseEndpoints } from "../../src/kube/objects/endpoints.ts";
import { NAME_LENGTH_MAX } from "../../src/kube/objects/metadata.ts";
import { parseService, SERVICE_PORTS_MAX } from "../../src/kube/objects/service.ts";
import { ENDPOINT_SLICES, SERVICES } from "../../src/kube/resource.ts";
import type { ObjectKey, Protocol } from "../../src/network/service.ts";

/** FabEdge's: a Service with it is exported. The controller of EndpointSlices copies it to the Service's slices. */
export const EXPORT_LABEL = "fabedge.io/global-service";
export const EXPORTED = `${EXPORT_LABEL}=true`;

export interface ExportedPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly appProtocol: string;
  readonly port: number;
}

/** As much of a Service as other clusters hear. */
export interface ExportedService {
  readonly isAlias: boolean;
  readonly headless: boolean;
  readonly clusterIps: readonly Ip[];
  readonly ports: readonly ExportedPort[];
}

/** The pod behind an endpoint. */
export interface EndpointTarget {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface ExportedEndpoint {
  readonly addresses: readonly Ip[];
  readonly hostname: string;
  readonly target: EndpointTarget | undefined;
}

/** What of an EndpointSlice takes connections. */
export interface ExportedSlice {
  readonly service: ObjectKey;
  readonly family: 4 | 6;
  readonly endpoints: readonly ExportedEndpoint[];
}

export const EXPORTED_SERVICE_DECODER: ObjectDecoder<ExportedService> = {
  resource: SERVICES,
  decode: parseExportedService,
};

export const EXPORTED_SLICE_DECODER: ObjectDecoder<ExportedSlice> = {
  resource: ENDPOINT_SLICES,
  decode: parseExportedSlice,
};

export function isExported(json: unknown): boolean {
  const label = parseJson(json, (object) =>
    object.field("metadata").field("labels").field(EXPORT_LABEL).optionalString(NAME_LENGTH_MAX),
  );
  return label.ok && label.value === "true";
}

export function parseExportedService(json: unknown): Result<ExportedService, DecodeError> {
  const service = parseService(json);
  if (!service.ok) return service;
  const { type, headless, clusterIps, ports } = service.value;
  const appProtocols = parseJson(json, (object) =>
    object.field("spec").field("ports").list(SERVICE_PORTS_MAX, readAppProtocol),
  );
  if (!appProtocols.ok) return appProtocols;
  return ok({
    isAlias: type === "ExternalName",
    headless,
    clusterIps,
    ports: ports.map(({ name, protocol, port }, i) => ({
      name,
      protocol,
      appProtocol: appProtocols.value[i] ?? "",
      port,
    })),
  });
}

/** @returns undefined for a slice of no service, or of names instead of addresses */
export function parseExportedSlice(json: unknown): Result<ExportedSlice | undefined, DecodeError> {
  const slice = parseEndpointSlice(json);
  if (!slice.ok || slice.value === undefined) return slice as Result<undefined, DecodeError>;
  const { namespace, service, family, endpoints } = slice.value;
  const targets = parseJson(json, (object) => object.field("endpoints").list(SLICE_ENDPOINTS_MAX, readTarget));
  if (!targets.ok) return targets;
  const found = endpoints.map(({ addresses, ready, hostname }, i) => ({
    ready,
    value: { addresses, hostname: hostname ?? "", target: targets.value[i] },
  }));
  return ok({
    service: `${namespace}/${service}`,
    family,
    endpoints: found.filter(({ ready }) => ready).map(({ value }) => value),
  });
}

/** Endpoints of before EndpointSlices; a folder may have them, in a cluster they are mirrored. */
export function parseExportedEndpoints(json: unknown): Result<readonly ExportedSlice[], DecodeError> {
  const slices = parseEndpoints(json);
  if (!slices.ok) return slices;
  return ok(
    slices.value.map(({ namespace, service, family, endpoints }) => ({
      service: `${namespace}/${service}`,
      family,
      endpoints: endpoints
        .filter(({ ready }) => ready)
        .map(({ addresses, hostname }) => ({ addresses, hostname: hostname ?? "", target: undefined })),
    })),
  );
}

function readAppProtocol(port: JsonView): string {
  return port.field("appProtocol").optionalString(NAME_LENGTH_MAX) ?? "";
}

function readTarget(endpoint: JsonView): EndpointTarget | undefined {
  const target = endpoint.field("targetRef");
  if (target.absent) return undefined;
  const text = (name: string) => target.field(name).optionalString(NAME_LENGTH_MAX) ?? "";
  return { kind: text("kind"), namespace: text("namespace"), name: text("name") };
}
