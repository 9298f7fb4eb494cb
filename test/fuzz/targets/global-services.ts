import {
  parseExportedEndpoints,
  parseExportedService,
  parseExportedSlice,
} from "../../../cloud/global-services/exported-service.ts";
import { clusterOf, parseFoundGlobalService } from "../../../cloud/global-services/global-service.ts";
import { planExport, planGlobalService } from "../../../cloud/global-services/plan.ts";
import { parseJsonText } from "../../../src/kube/object-reader.ts";
import { GLOBAL_ENDPOINTS_MAX } from "../../../src/kube/objects/global-service.ts";
import { hold, holdSame, textOf, unwrap, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const PLACE = { cluster: "paris", zone: "z", region: "r" };

/**
 * A Service, a slice, an Endpoints and a GlobalService, each of them as it may come. Whatever they say, what another
 * cluster has said stays, and what is written once is not written again.
 */
export const target: FuzzTarget = {
  mostBytes: 2048,
  form: "json",
  words: [
    '"paris"',
    '"lyon"',
    '"None"',
    '"Headless"',
    '"cluster":',
    '"endpoints":',
    '"targetRef":',
    '"ready":',
    "null",
  ],
  run: (input) => {
    const json = parseJsonText(textOf(input)) as Readonly<Record<string, unknown>> | undefined | null;
    if (json === undefined || json === null) return "no JSON";
    const service = parseExportedService(json["service"]);
    const slice = parseExportedSlice(json["slice"]);
    const endpoints = parseExportedEndpoints(json["endpoints"]);
    const found = parseFoundGlobalService(json["found"]);
    if (!found.ok) return `no GlobalService: ${withoutNumbers(found.error.why).slice(0, 24)}`;
    const slices = [slice.ok && slice.value ? [slice.value] : [], endpoints.ok ? endpoints.value : []].flat();
    const exported = service.ok ? planExport("d/web", service.value, slices, PLACE, found.value) : undefined;
    const spec = exported?.spec;
    const others = found.value.spec.endpoints.filter((endpoint) => clusterOf(endpoint) !== PLACE.cluster);
    const step = planGlobalService(PLACE, spec, found.value);
    if (step.step === "delete") hold(others.length === 0, "what others have said was deleted");
    if (!("spec" in step)) return `${service.ok ? "exported" : "not exported"}: ${step.step}`;
    holdSame(step.spec.endpoints.slice(0, others.length), others, "what others have said");
    hold(step.spec.endpoints.length <= GLOBAL_ENDPOINTS_MAX, "more endpoints than there may be");
    const written = unwrap(parseFoundGlobalService({ spec: step.spec }), "what was written");
    const again = planGlobalService(PLACE, spec, { ...written, ours: found.value.ours });
    hold(
      again.step === "keep" || step.spec.endpoints.length === 0,
      `it is written, and then another step: ${again.step}`,
    );
    return `${service.ok ? "exported" : "not exported"}: ${step.step}`;
  },
};
