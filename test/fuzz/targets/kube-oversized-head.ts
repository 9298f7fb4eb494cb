import { NAME_LENGTH_MAX, NAMESPACE_LENGTH_MAX } from "../../../src/kube/objects/metadata.ts";
import { HEAD_BYTES, parseOversizedHead } from "../../../src/kube/piece.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: HEAD_BYTES,
  form: "text",
  words: ['"metadata":{', '"name":"', '"namespace":"', '{"type":"', '"', " ", "\\", "/", '"metadata" : {'],
  run: (input) => {
    const { type, namespace, name } = parseOversizedHead(textOf(input));
    hold(type === undefined || /^[A-Z]{1,16}$/.test(type), `type ${type}`);
    hold((namespace?.length ?? 0) <= NAMESPACE_LENGTH_MAX && !namespace?.includes("/"), `namespace ${namespace}`);
    hold((name?.length ?? 0) <= NAME_LENGTH_MAX && !name?.includes("/"), `name ${name}`);
    return [type, namespace, name].map((part) => (part === undefined ? "no" : "a")).join(" ");
  },
};
