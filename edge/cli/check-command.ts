import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import { type CheckResult, formatCheck, isHealthy } from "../../src/cli/check-report.ts";
import { EXIT } from "../../src/cli/exit-code.ts";
import type { StatusReport } from "../../src/network/agent-report.ts";
import {
  type CommandContext,
  cliDocument,
  paintFor,
  print,
  settingsOrDefaults,
  socketPath,
} from "./command-context.ts";
import { judgeHost, praiseAgent } from "./host-check.ts";
import { sentenceOf } from "./sentence.ts";
import { praiseTunnels } from "./tunnel-check.ts";

type Trouble = Extract<CheckResult, { readonly ok: false }>;

export async function check(context: CommandContext): Promise<number> {
  const { loaded, problems } = await settingsOrDefaults(context);
  const settings = problems.map(judgeSettings);
  const agent = context.flags.get("pre") === "true" ? undefined : await askAgent(context);
  const host = judgeHost(await context.io.observeHost(loaded.config), loaded.config, agent?.status);
  const results = mergeResults([...settings, ...host], agent?.results ?? []);
  const healthy = isHealthy(results);
  await print(context, cliDocument("CheckReport", { healthy, items: results }), () =>
    formatCheck(results, paintFor(context)),
  );
  return healthy ? EXIT.ok.code : EXIT.unhealthy.code;
}

/** What the agent knows from doing counts before what the host looks like. */
export function mergeResults(host: readonly CheckResult[], agent: readonly CheckResult[]): readonly CheckResult[] {
  const known = new Set(agent.filter((result): result is Trouble => !result.ok).map((result) => result.code));
  return [...host.filter((result) => result.ok || !known.has(result.code)), ...agent];
}

async function askAgent(
  context: CommandContext,
): Promise<{ readonly status: StatusReport | undefined; readonly results: readonly CheckResult[] }> {
  try {
    const status = await context.io.ask(await socketPath(context), "/v1/status", "Status");
    const good = [...praiseAgent(status), ...praiseTunnels(status)];
    return { status, results: [...good, ...status.conditions.map(troubleOf)] };
  } catch (error) {
    const [code, message] = [errorCode(error), sentenceOf(error)];
    const way = error instanceof SelvedgeError ? (error.hint ?? "") : "";
    const hint = code === "AGENT_UNREACHABLE" ? `${way} Before its first start, check --pre does without it.` : way;
    return { status: undefined, results: [troubleOf({ component: "agent", code, severity: "failed", message, hint })] };
  }
}

function troubleOf({ component, code, severity, message, hint }: Omit<Trouble, "ok">): Trouble {
  return { ok: false, component, code, severity, message, hint };
}

function judgeSettings(message: string): CheckResult {
  const hint = 'See "selvedge config view" and "selvedge run --help"; the checks below took the defaults.';
  return { ok: false, component: "config", code: "CONFIG_INVALID", severity: "failed", message, hint };
}
