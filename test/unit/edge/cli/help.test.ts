import { describe, expect, test } from "bun:test";
import { COMMANDS } from "../../../../edge/cli/command.ts";
import { formatHelp, formatOverview } from "../../../../edge/cli/help.ts";
import { EXECUTORS } from "../../../../edge/cli/run-cli.ts";
import { OPTIONS } from "../../../../edge/config/options.ts";
import { EXIT } from "../../../../src/cli/exit-code.ts";

describe("help", () => {
  test("the overview names every command and exit status", () => {
    expect(formatOverview(undefined)).toMatchSnapshot();
    for (const command of COMMANDS) expect(formatOverview(undefined)).toContain(`  ${command.words.join(" ")}`);
    for (const { meaning } of Object.values(EXIT)) expect(formatOverview(undefined)).toContain(meaning);
    expect(formatOverview("dns")).toStartWith("Commands:\n  dns resolve NAME");
  });

  for (const command of COMMANDS) {
    test(`of ${command.words.join(" ")} begins with its examples`, () => {
      const help = formatHelp(command);
      expect(help).toMatchSnapshot();
      expect(help).toStartWith(`${command.summary}\n\nExamples:\n`);
      for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(140);
    });
  }

  test("of run has every setting with its default", () => {
    const help = COMMANDS.filter((command) => command.settings).map(formatHelp);
    for (const { name } of Object.values(OPTIONS)) for (const text of help) expect(text).toContain(`  --${name}`);
    expect(help[0]).toContain("Default: 127.0.0.1:10560.");
  });

  test("every command of the table is done by something, and nothing else is", () => {
    expect(Object.keys(EXECUTORS).sort()).toEqual(COMMANDS.map((command) => command.words.join(" ")).sort());
  });

  test("exit statuses are distinct", () => {
    const codes = Object.values(EXIT).map(({ code }) => code as number);
    expect(new Set(codes).size).toBe(codes.length);
  });
});
