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
    configureCharon: async (config) => {
      const { configureCharon } = await import("./charon-config-command.ts");
      return configureCharon(config);
    },
    cni: async (env) => {
      // Only here: each program of this file starts without the others.
      const { runCni } = await import("./cni-command.ts");
      return runCni(env, system.clock);
    },
    join: async ({ folder, ...request }) => {
      // Only here: the agent has no use for what certificates are made with.
      const [{ join }, { askOperator }, { KeyFiles }] = await Promise.all([
        import("../join/join.ts"),
        import("../join/ask-operator.ts"),
        import("../join/key-files.ts"),
      ]);
      const files = new KeyFiles(folder);
      const joined = await join({ ...request, key: files.key() }, askOperator);
      files.keep(joined);
      return joined.node;
    },
    install: async (dryRun) => {
      const steps = planInstall(LOCAL_LAYOUT, observeExecutable(), observeInstallation(LOCAL_LAYOUT));
      if (!dryRun) applyInstall(steps);
      return steps.map(formatStep);
    },
  };
}
