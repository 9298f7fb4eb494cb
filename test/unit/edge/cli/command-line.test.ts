import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { PROGRAM } from "../../../../edge/cli/command.ts";
import { parseCommandLine } from "../../../../src/cli/command-line.ts";

function parse(line: string) {
  const parsed = parseCommandLine(
    PROGRAM,
    line.split(" ").filter((word) => word !== ""),
  );
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function flags(line: string): Readonly<Record<string, string>> {
  const invocation = parse(line);
  return invocation.kind === "command" ? Object.fromEntries(invocation.flags) : {};
}

function refusal(line: string): string {
  const parsed = parseCommandLine(PROGRAM, line.split(" "));
  return parsed.ok ? "" : parsed.error;
}

describe("command line", () => {
  test("a flag takes its value in every usual form", () => {
    for (const form of ["-o json", "-ojson", "-o=json", "--output json", "--output=json"]) {
      expect(flags(`status ${form}`)).toEqual({ output: "json" });
    }
    expect(flags("services -A -n shop")).toEqual({ "all-namespaces": "true", namespace: "shop" });
  });

  test("flags and words come in any order", () => {
    for (const line of ["services web -n shop", "services -n shop web"]) {
      expect(parse(line)).toMatchObject({ kind: "command", argument: "web" });
    }
  });

  test("settings of run are left as they are", () => {
    expect(parse("run --enable-dns false -v 4 --node-name=a")).toMatchObject({
      settings: ["--enable-dns", "false", "-v", "4", "--node-name=a"],
    });
    expect(parse("config view -o yaml --enable-dns false --origin")).toMatchObject({
      settings: ["--enable-dns", "false"],
    });
  });

  test("help is found wherever it stands", () => {
    for (const line of ["", "help", "--help", "-h"]) expect(parse(line)).toMatchObject({ kind: "help", words: [] });
    for (const line of ["help run", "run --help", "run --enable-dns -h"]) {
      expect(parse(line)).toMatchObject({ kind: "help", command: { words: ["run"] } });
    }
    for (const line of ["dns", "dns --help", "help dns"]) {
      expect(parse(line)).toMatchObject({ kind: "help", command: undefined, words: ["dns"] });
    }
    expect(parse("--version")).toEqual({ kind: "version" });
  });

  const refusals: readonly (readonly [string, string])[] = [
    ["stauts", 'There is no command "stauts". Did you mean "status"?'],
    ["dns resolv a", 'There is no command "dns resolv". Did you mean "dns resolve"?'],
    ["frobnicate", 'There is no command "frobnicate".'],
    ["status --ouptut=json", 'There is no flag "--ouptut" here. Did you mean "--output"?'],
    ["status -o", "Cannot use --output as a value has to follow it: FORMAT."],
    ["status -o xml", 'Cannot use --output as it takes one of table, json, yaml: current value is "xml".'],
    ["cleanup --dry-run=maybe", 'Cannot use --dry-run as it takes one of true, false: current value is "maybe".'],
    ["status now", 'Cannot take "now": "selvedge status" takes no more words.'],
    ["dns resolve", "Cannot do it without NAME."],
    ["completion tcsh", 'Cannot use "tcsh" as SHELL is one of bash, zsh, fish.'],
  ];
  for (const [line, sentence] of refusals) {
    test(`"${line}" is refused: ${sentence}`, () => expect(refusal(line)).toBe(sentence));
  }

  test("no words make it throw", () => {
    const word = fc.oneof(fc.string(), fc.constantFrom("run", "dns", "resolve", "-o", "--help", "-n", "--", "="));
    fc.assert(fc.property(fc.array(word), (argv) => void parseCommandLine(PROGRAM, argv)));
  });
});
