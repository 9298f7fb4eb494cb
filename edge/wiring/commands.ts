import { VERSION } from "../../src/base/version.ts";
import type { CliCommands } from "../cli/cli-io.ts";
import { formatStep, LOCAL_LAYOUT, planInstall } from "../install/plan.ts";
import type { System } from "./system.ts";

/** What the command line starts. Each loads what it needs when it is started: a look at the status is no whole agent. */
export function makeCommands(system: System): CliCommands {
  return {
    version: VERSION,
    platform: system.platform,
    startAgent: async (loaded) => {
      const { runAgent } = await import("./agent.ts");
      return runAgent(loaded, system);
    },
    findLeftovers: async (config) => {
      const { findLeftovers } = await import("./leftovers.ts");
      return findLeftovers(config);
    },
    configureCharon: async (config) => {
      const { configureCharon } = await import("./charon-config-command.ts");
      return configureCharon(config);
    },
    cni: async (env) => {
      const { runCni } = await import("./cni-command.ts");
      return runCni(env, system.clock);
    },
    join: async ({ folder, ...request }) => {
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
      const { applyInstall, observeExecutable, observeInstallation } = await import("../install/apply.ts");
      const steps = planInstall(LOCAL_LAYOUT, observeExecutable(), observeInstallation(LOCAL_LAYOUT));
      if (!dryRun) applyInstall(steps);
      return steps.map(formatStep);
    },
  };
}
