import type { Severity } from "../base/health.ts";
import { type Paint, printable } from "./table.ts";

/** Something that is wrong, with a way out. */
export interface Trouble {
  readonly component: string;
  /** As in docs/errors.md. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly hint: string;
}

/** Good, or a condition with a way out. */
export type CheckResult =
  | { readonly ok: true; readonly component: string; readonly message: string }
  | ({ readonly ok: false } & Trouble);

const COLOUR = { failed: "red", degraded: "yellow", info: "green" } as const satisfies Record<Severity, string>;

/** Each with its hint below it: the way out belongs beside the trouble. */
export function formatConditions(conditions: readonly Trouble[], paint: Paint): string {
  return conditions
    .map(({ severity, code, component, message, hint }) => {
      const head = `${paint(COLOUR[severity], severity.toUpperCase().padEnd(9))} ${component.padEnd(7)}   ${code}\n`;
      return `${head}          ${printable(message)}\n${hint === "" ? "" : `          ${printable(hint)}\n`}`;
    })
    .join("");
}

export function formatCheck(results: readonly CheckResult[], paint: Paint): string {
  return results
    .map((result) =>
      result.ok
        ? `${paint("green", "OK".padEnd(9))} ${result.component.padEnd(7)}   ${printable(result.message)}\n`
        : formatConditions([result], paint),
    )
    .join("");
}

export function isHealthy(results: readonly CheckResult[]): boolean {
  return results.every((result) => result.ok || result.severity === "info");
}
