import { VERSION } from "../../src/base/version.ts";
import type { CliCommands } from "../cli/cli-io.ts";
import { applyInstall, observeExecutable, observeInstallation } from "../install/apply.ts";
import { formatStep, LOCAL_LAYOUT, planInstall } from "../install/plan.ts";
import { runAgent } from "./agent.ts";
import { findLeftovers } from "./leftovers.ts";
import type { System } from "./system.ts";

/** What the command line starts. */
export function makeCommands(system: System): CliCommands {
  return {
    version: VERSION,
    platform: system.platform,
    startAgent: (loaded) => runAgent(loaded, system),
    findLeftovers: async (config) => findLeftovers(config),
    install: async (dryRun) => {
      const steps = planInstall(LOCAL_LAYOUT, observeExecutable(), observeInstallation(LOCAL_LAYOUT));
      if (!dryRun) applyInstall(steps);
      return steps.map(formatStep);
    },
  };
}
