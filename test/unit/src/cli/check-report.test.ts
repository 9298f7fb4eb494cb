import { expect, test } from "bun:test";
import { formatCheck, isHealthy, type Trouble } from "../../../../src/cli/check-report.ts";
import { formatDocument } from "../../../../src/cli/document-text.ts";
import { plain } from "../../../../src/cli/table.ts";

const TROUBLE: Trouble = {
  component: "rbac",
  code: "X_Y",
  severity: "degraded",
  message: "Cannot\x1b[2J",
  hint: "Do.",
};

test("a trouble has its hint below it, and what is good one line", () => {
  const results = [{ ok: true, component: "api", message: "answers" } as const, { ok: false, ...TROUBLE } as const];
  expect(formatCheck(results, plain)).toBe(
    "OK        api       answers\nDEGRADED  rbac      X_Y\n          Cannot\\x1b[2J\n          Do.\n",
  );
});

test("what is only worth knowing is healthy", () => {
  expect(isHealthy([{ ok: false, ...TROUBLE, severity: "info" }])).toBe(true);
  expect(isHealthy([{ ok: false, ...TROUBLE }])).toBe(false);
});

test("a document is printed for programs, or a table made for people", () => {
  const print = (format: string | undefined) => formatDocument(format, { a: [1] }, () => "table\n");
  expect(JSON.parse(print("json"))).toEqual({ a: [1] });
  expect(Bun.YAML.parse(print("yaml"))).toEqual({ a: [1] });
  expect(print(undefined)).toBe("table\n");
});
