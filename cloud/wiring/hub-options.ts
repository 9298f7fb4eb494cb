import type { Result } from "../../src/base/result.ts";
import { HUB_STATE } from "../config.ts";
import { JOIN_OPTIONS, type JoinOptions, readJoin } from "../operator/operator-options.ts";
import { type OptionError, readOptions } from "../operator/option-values.ts";
import type { OperatorSettings } from "../operator/settings.ts";
import { readSettings, SETTINGS_OPTIONS } from "../operator/settings-options.ts";

/** What a hub that plans is told besides its folder. */
export interface HubPlanning {
  readonly settings: OperatorSettings;
  readonly stateDir: string;
  readonly join: JoinOptions | undefined;
}

/** Without a cluster's name nothing is planned, and nothing is needed. */
const DEFAULTS = {
  ...SETTINGS_OPTIONS,
  ...JOIN_OPTIONS,
  cluster: "",
  "cni-type": "flannel",
  "cluster-cidr": "",
  "connector-public-addresses": "",
  "state-dir": HUB_STATE,
} as const;

/** @param words the hub's arguments besides its folder and its address */
export function parseHubOptions(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Result<{ readonly planning: HubPlanning | undefined }, OptionError> {
  return readOptions("hub", words, DEFAULTS, (values) => {
    if (values.text("cluster") === "") {
      const alone = values.given();
      if (alone !== undefined) values.contradict(`--${alone} is for a hub that plans: give --cluster too`);
      return { planning: undefined };
    }
    const settings = readSettings(values, environment);
    if (settings.role !== "host") values.refuse("cluster-role", "host where there is no cluster", settings.role);
    if (settings.agent.mode !== "host") values.refuse("agent-mode", "host where nobody runs pods", settings.agent.mode);
    return { planning: { settings, stateDir: values.text("state-dir"), join: readJoin(values) } };
  });
}
