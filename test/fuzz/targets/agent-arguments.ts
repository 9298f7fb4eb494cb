import { readArguments } from "../../../edge/config/arguments.ts";
import { OPTION_KEYS, optionOf } from "../../../edge/config/options.ts";
import { loadConfig } from "../../../edge/config.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const NAMES = OPTION_KEYS.map((key) => `--${optionOf(key).name}`);

/** What the settings mean together is asked of one case in so many: it is a hundred times the work of reading them. */
const LOAD_EVERY = 32;
let count = 0;

/** A word a line: what stands behind "run". */
export const target: FuzzTarget = {
  mostBytes: 256,
  form: "text",
  words: [...NAMES, "\n", "=", "--", "-v", "true", "false", "1", ",", "10.96.0.0/12", "http://a:b@c", "[::1]:53", "x"],
  run: (input) => {
    const argv = textOf(input).split("\n");
    const { settings, strays } = readArguments(argv);
    hold(settings.length + strays.length <= argv.length, "more arguments than words");
    if (++count % LOAD_EVERY > 0)
      return `${Math.min(settings.length, 3)} settings, ${Math.min(strays.length, 3)} strays`;
    const loaded = loadConfig({ argv, env: {}, file: undefined, host: { hostname: "edge1" } });
    if (loaded.ok) return `loaded, ${Math.min(settings.length, 3)} settings`;
    const texts = loaded.error.map((problem) => problem.message);
    hold(
      texts.length > 0 && texts.every((text) => text.endsWith(".") && text.length < 2000),
      "a problem that is no sentence",
    );
    return loaded.error.some(({ kind }) => kind === "usage") ? "wrong usage" : "wrong settings";
  },
};
