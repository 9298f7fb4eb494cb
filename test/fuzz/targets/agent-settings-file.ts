import { OPTION_KEYS, optionOf } from "../../../edge/config/options.ts";
import { parseSettingsFile } from "../../../edge/config/settings-file.ts";
import { loadConfig } from "../../../edge/config.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const NAMES = OPTION_KEYS.map((key) => `${optionOf(key).name}: `);

/** What the settings mean together is asked of one case in so many: it is a hundred times the work of reading them. */
const LOAD_EVERY = 8;
let count = 0;

export const target: FuzzTarget = {
  mostBytes: 256,
  form: "text",
  words: [
    ...NAMES,
    "\n",
    ": ",
    "- ",
    "[a, b]",
    "010",
    "1.10",
    "yes",
    "|",
    ">",
    "&a",
    "*a",
    "!!binary ",
    "--- ",
    '"',
    "'",
  ],
  run: (input) => {
    const file = { path: "/config.yaml", text: textOf(input) };
    const { settings, findings } = parseSettingsFile(file);
    hold(
      findings.every((finding) => finding.message.endsWith(".")),
      "a finding that is no sentence",
    );
    if (++count % LOAD_EVERY > 0) return `${Math.min(settings.size, 3)} settings, ${findings.length} findings`;
    const loaded = loadConfig({ argv: [], env: {}, file, host: { hostname: "edge1" } });
    if (loaded.ok) return `loaded, ${Math.min(settings.size, 3)} settings`;
    hold(loaded.error.length > 0, "a refusal without a reason");
    return `${Math.min(loaded.error.length, 3)} problems`;
  },
};
