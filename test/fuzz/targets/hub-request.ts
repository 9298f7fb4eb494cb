import { parseRequest } from "../../../cloud/hub/request.ts";
import { NAME_LENGTH_MAX } from "../../../src/kube/objects/metadata.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const OBJECT = { metadata: { name: "web", namespace: "shop", labels: { app: "web" } } };

export const target: FuzzTarget = {
  mostBytes: 384,
  form: "text",
  words: [
    ...["/api/v1/", "/apis/discovery.k8s.io/v1/", "namespaces/", "services", "endpointslices", "nodes", "/", "?", "&"],
    ...["watch=true", "limit=", "continue=", "resourceVersion=", "timeoutSeconds=", "labelSelector=", "fieldSelector="],
    ...["metadata.name%3Dweb", "app%3Dweb", "9999999999999999", "%00", "%2F"],
  ],
  run: (input) => {
    const text = textOf(input);
    if (!URL.canParse(text, "http://hub")) return "no address";
    const url = new URL(text, "http://hub");
    const request = parseRequest(url.pathname, url.searchParams);
    if (request === undefined) return "another path";
    if (!request.ok) return `refused with ${request.error.code}`;
    const { value } = request;
    if (value.kind === "get") {
      hold(
        value.key.split("/").every((part) => part !== "" && part.length <= NAME_LENGTH_MAX),
        `key ${value.key}`,
      );
      return "get";
    }
    const selected = value.selects(OBJECT);
    if (value.kind === "list") hold(value.limit === undefined || value.limit > 0, `limit ${value.limit}`);
    else hold(value.timeoutSeconds > 0 && value.timeoutSeconds <= 86_400, `${value.timeoutSeconds} seconds`);
    return `${value.kind}, ${selected ? "" : "not "}selected`;
  },
};
