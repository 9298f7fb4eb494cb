import { describe, expect, test } from "bun:test";
import { EMPTY_FOLDER, type FolderState, formatRefusal, planFolder } from "../../../../cloud/hub/folder-plan.ts";

const service = (name: string, ip = "10.0.0.1") =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {clusterIP: ${ip}}\n`;

function look(before: FolderState, files: Readonly<Record<string, string>>): FolderState {
  return planFolder(
    before,
    Object.entries(files).map(([path, text]) => ({ path, content: { text } })),
  );
}

const keys = (state: FolderState) => [...state.files.values()].flatMap((f) => f.manifests.map((m) => m.key)).sort();
const refusals = (state: FolderState) => state.refusals.map(formatRefusal);

describe("a folder", () => {
  test("holds the objects of its files, and a file that goes takes its own along", () => {
    const first = look(EMPTY_FOLDER, { "a.yaml": service("a"), "b.yaml": service("b") });
    expect(keys(first)).toEqual(["default/a", "default/b"]);
    expect(keys(look(first, { "b.yaml": service("b") }))).toEqual(["default/b"]);
  });

  test("a file that is wrong keeps its last good state and is named with line and reason", () => {
    const first = look(EMPTY_FOLDER, { "a.yaml": service("a"), "b.yaml": service("b") });
    const second = look(first, { "a.yaml": `${service("a2")}oops: [\n`, "b.yaml": service("b2") });
    expect(keys(second)).toEqual(["default/a", "default/b2"]);
    expect(refusals(second)).toEqual(["a.yaml:5: Unexpected token"]);
    const third = look(second, { "a.yaml": service("a3"), "b.yaml": service("b2") });
    expect([keys(third), refusals(third)]).toEqual([["default/a3", "default/b2"], []]);
  });

  test("a file that is empty, or cannot be read, is being written: nothing is taken away", () => {
    const first = look(EMPTY_FOLDER, { "a.yaml": service("a") });
    const second = look(first, { "a.yaml": "" });
    expect([keys(second), refusals(second)]).toEqual([
      ["default/a"],
      ["a.yaml:1: the file is empty: delete it to take its objects away"],
    ]);
    const third = planFolder(second, [{ path: "a.yaml", content: { error: "the file cannot be read: EACCES" } }]);
    expect([keys(third), refusals(third)]).toEqual([["default/a"], ["a.yaml:1: the file cannot be read: EACCES"]]);
    expect(keys(look(third, { "a.yaml": "# nothing any more\n" }))).toEqual([]);
  });

  test("one object in two files is refused with both names, and the one that was there stays", () => {
    const first = look(EMPTY_FOLDER, { "b.yaml": service("web") });
    const second = look(first, { "a.yaml": service("web", "10.0.0.2"), "b.yaml": service("web") });
    expect(refusals(second)).toEqual(["a.yaml:1: Service default/web is already in b.yaml:1"]);
    expect([...second.files.keys()]).toEqual(["b.yaml"]);
  });

  test("one object twice in a file is refused", () => {
    expect(refusals(look(EMPTY_FOLDER, { "a.yaml": `${service("a")}---\n${service("a")}` }))).toEqual([
      "a.yaml:6: Service default/a is already in a.yaml:1",
    ]);
  });

  test("an object may move from one file to another", () => {
    const first = look(EMPTY_FOLDER, { "a.yaml": `${service("a")}---\n${service("b")}`, "b.yaml": service("c") });
    const second = look(first, { "a.yaml": service("a"), "b.yaml": `${service("b")}---\n${service("c")}` });
    expect([keys(second), refusals(second)]).toEqual([["default/a", "default/b", "default/c"], []]);
  });
});
