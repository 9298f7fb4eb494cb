import { expect, test } from "bun:test";
import { type Retry, SelvedgeError } from "../../../../src/base/errors.ts";
import { Log, type LogRecord } from "../../../../src/base/log.ts";
import { KindTrouble } from "../../../../src/kube/kind-trouble.ts";

function failure(code: string, retry: Retry = "later"): SelvedgeError {
  return new SelvedgeError(`Cannot list it: ${code}`, { code, blame: "user", retry, hint: "See why." });
}

test("why a kind is not read is said once for each reason, and not what passes or ails the whole API server", () => {
  const records: LogRecord[] = [];
  const trouble = new KindTrouble(new Log((record) => records.push(record), "info"));
  const said = (error: SelvedgeError | undefined) => {
    records.length = 0;
    trouble.see({ kind: "Community", error });
    return records.map(({ level, event, fields }) => `${level} ${event} ${fields.name} ${fields.code} ${fields.hint}`);
  };
  const forbidden = "warn kube.unread Community KUBE_FORBIDDEN See why.";
  expect(said(undefined)).toEqual([]);
  expect(said(failure("KUBE_FORBIDDEN"))).toEqual([forbidden]);
  expect(said(failure("KUBE_FORBIDDEN"))).toEqual([]);
  expect(said(failure("KUBE_NOT_FOUND"))).toHaveLength(1);
  expect(said(undefined)).toEqual([]);
  expect(said(failure("KUBE_FORBIDDEN"))).toEqual([forbidden]);
  for (const code of ["KUBE_UNREACHABLE", "KUBE_UNAVAILABLE", "KUBE_BUSY"]) expect(said(failure(code))).toEqual([]);
  expect(said(failure("KUBE_GONE", "now"))).toEqual([]);
});
