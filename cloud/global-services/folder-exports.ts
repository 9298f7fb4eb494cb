import type { DecodeError, Result } from "../../src/base/result.ts";
import {
  apiVersion,
  ENDPOINT_SLICES,
  ENDPOINTS,
  GLOBAL_SERVICES,
  type Resource,
  SERVICES,
} from "../../src/kube/resource.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import {
  type ExportedSlice,
  isExported,
  parseExportedEndpoints,
  parseExportedService,
  parseExportedSlice,
} from "./exported-service.ts";
import { parseFoundGlobalService } from "./global-service.ts";
import { type ExportProblem, type Place, planExport, planGlobalService } from "./plan.ts";

/** An object of a folder, which has been found to be one of its kind. */
export interface FolderObject {
  readonly resource: Resource;
  readonly key: ObjectKey;
  readonly object: Readonly<Record<string, unknown>>;
}

export interface FolderExports {
  readonly globals: readonly FolderObject[];
  readonly problems: readonly ExportProblem[];
}

/**
 * The GlobalServices of the folder's labelled Services, those that lie in the folder completed. Nobody copies labels to
 * slices there: a Service's are found by its name.
 */
export function planFolderExports(objects: readonly FolderObject[], place: Place): FolderExports {
  const globals: FolderObject[] = [];
  const problems: ExportProblem[] = [];
  const exported = objects.filter(({ resource, object }) => resource === SERVICES && isExported(object));
  if (exported.length === 0) return { globals, problems };
  const written = new Map(objects.filter(isGlobal).map((each) => [each.key, each]));
  const slices = Map.groupBy(objects.flatMap(readSlice), ({ service }) => service);
  const endpoints = Map.groupBy(objects.flatMap(readEndpoints), ({ service }) => service);
  for (const { key, object } of exported) {
    const service = readable(parseExportedService(object));
    if (service === undefined) continue;
    const there = written.get(key);
    const found = there && readable(parseFoundGlobalService(there.object));
    const own = slices.get(key) ?? endpoints.get(key) ?? [];
    const { spec, problem } = planExport(key, service, own, place, found);
    if (problem !== undefined) problems.push(problem);
    const step = planGlobalService(place, spec, found);
    const global = there ?? newGlobal(key);
    if ("spec" in step) globals.push({ ...global, object: { ...global.object, spec: step.spec } });
  }
  return { globals, problems };
}

function isGlobal({ resource }: FolderObject): boolean {
  return resource === GLOBAL_SERVICES;
}

function readSlice({ resource, object }: FolderObject): readonly ExportedSlice[] {
  const slice = resource === ENDPOINT_SLICES ? readable(parseExportedSlice(object)) : undefined;
  return slice === undefined ? [] : [slice];
}

function readEndpoints({ resource, object }: FolderObject): readonly ExportedSlice[] {
  return resource === ENDPOINTS ? (readable(parseExportedEndpoints(object)) ?? []) : [];
}

/** One that cannot be read never came into the folder. */
function readable<T>(read: Result<T, DecodeError>): T | undefined {
  return read.ok ? read.value : undefined;
}

function newGlobal(key: ObjectKey): FolderObject {
  const [namespace, name] = key.split("/");
  const type = { apiVersion: apiVersion(GLOBAL_SERVICES), kind: GLOBAL_SERVICES.kind };
  return { resource: GLOBAL_SERVICES, key, object: { ...type, metadata: { namespace, name } } };
}
