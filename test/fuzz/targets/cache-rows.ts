import type { Row } from "../../../edge/cache/store-file.ts";
import { changesOf, mergeContents, objectOf, stateOf } from "../../../edge/cache/store-rows.ts";
import { rowId } from "../../../edge/cache/stored-state.ts";
import { hold, holdSame, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** Rows whose checksums hold, as another version of this program may have written them: one a line, fields by tabs. */
export const target: FuzzTarget = {
  mostBytes: 512,
  form: "text",
  words: ["\n", "\t", "Service ", "EndpointSlice ", "watermark Service", "source", "total", " ", "-1", "1e999", "NaN"],
  run: (input) => {
    const rows = textOf(input).split("\n").map(rowOf);
    const contents = { objects: rows, tombstones: rows, facts: rows };
    const state = stateOf(contents);
    for (const { listedAt } of state.watermarks.values()) {
      hold(Number.isFinite(listedAt) && listedAt >= 0, `listed at ${listedAt}`);
    }
    const objects = rows.flatMap((row) => objectOf(row) ?? []);
    for (const object of objects) {
      const id = rowId(object.kind, object.key);
      const batch = { ...state, tombstones: new Map(), objects: new Map([[id, object]]) };
      const [[, again] = []] = [...changesOf(batch).objects];
      holdSame(again && objectOf(again), object, "read, written and read again");
    }
    const content = { rows: contents, damage: undefined };
    hold(mergeContents(content, content).objects.length === rows.length, "rows that a repair doubles");
    return `${Math.min(objects.length, 3)} objects, ${Math.min(state.watermarks.size, 3)} watermarks`;
  },
};

function rowOf(line: string): Row {
  const [id = "", uid = "", version = "", body = ""] = line.split("\t");
  return { id, uid, version, body };
}
