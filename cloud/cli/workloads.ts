import type { DecodeError, Result } from "../../src/base/result.ts";
import { type JsonView, parseJson } from "../../src/kube/json-view.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { NAME_LENGTH_MAX, readName } from "../../src/kube/objects/metadata.ts";
import { DAEMON_SETS, DEPLOYMENTS, PODS, type Resource } from "../../src/kube/resource.ts";

/** What of a Deployment, DaemonSet or Pod says what runs. */
export interface Workload {
  readonly kind: string;
  readonly name: string;
  /** Of a Pod that another object keeps: that object's kind. */
  readonly controller: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly node: string;
  readonly serviceAccount: string;
  readonly containers: readonly Container[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Kubernetes has no bound of its own; what we know has half a dozen of each. */
const CONTAINERS_MAX = 64;
const WORDS_MAX = 1024;
const WORD_LENGTH_MAX = 64 * 1024;

export const DEPLOYMENT_DECODER = decoderOf(DEPLOYMENTS);
export const DAEMON_SET_DECODER = decoderOf(DAEMON_SETS);
export const WORKLOAD_POD_DECODER = decoderOf(PODS);

function decoderOf(resource: Resource): ObjectDecoder<Workload> {
  return { resource, decode: (json) => parseWorkload(json, resource.kind) };
}

function parseWorkload(json: unknown, kind: string): Result<Workload, DecodeError> {
  return parseJson(json, (object) => {
    const metadata = object.field("metadata");
    const spec = kind === "Pod" ? object.field("spec") : object.field("spec").field("template").field("spec");
    const [owner] = metadata.field("ownerReferences").array(CONTAINERS_MAX);
    return {
      kind,
      name: readName(object),
      controller: owner?.field("kind").optionalString(NAME_LENGTH_MAX),
      labels: Object.fromEntries(
        metadata
          .field("labels")
          .entries()
          .map(([name, value]) => [name, value.string(NAME_LENGTH_MAX)]),
      ),
      node: spec.field("nodeName").optionalString(NAME_LENGTH_MAX) ?? "",
      serviceAccount: spec.field("serviceAccountName").optionalString(NAME_LENGTH_MAX) ?? "default",
      containers: spec.field("containers").list(CONTAINERS_MAX, readContainer),
    };
  });
}

function readContainer(container: JsonView): Container {
  const words = (field: string) => container.field(field).list(WORDS_MAX, (word) => word.string(WORD_LENGTH_MAX));
  return {
    name: container.field("name").string(NAME_LENGTH_MAX),
    image: container.field("image").optionalString(WORD_LENGTH_MAX) ?? "",
    args: [...words("command"), ...words("args")],
    environment: Object.fromEntries(
      container
        .field("env")
        .array(WORDS_MAX)
        .map((variable) => [
          variable.field("name").string(NAME_LENGTH_MAX),
          variable.field("value").optionalString(WORD_LENGTH_MAX) ?? "",
        ]),
    ),
  };
}
