import { expect, test } from "bun:test";
import { OPTION_KEYS, OPTIONS } from "../../../../edge/config/options.ts";
import { loadConfig } from "../../../../edge/config.ts";
import { formatSettings } from "../../../../edge/install/settings.ts";

function load(text: string | undefined) {
  const file = text === undefined ? undefined : { path: "/etc/selvedge/config.yaml", text };
  const loaded = loadConfig({ argv: [], env: {}, file, host: { hostname: "edge1" } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

test("the file of a new node sets nothing", () => {
  const { config, origins, warnings } = load(formatSettings());
  expect(warnings).toEqual([]);
  expect(config).toEqual(load(undefined).config);
  expect(OPTION_KEYS.filter((key) => origins[key][0].kind !== "default")).toEqual([]);
});

test("every line of it can be put into force, and then gives the default that it shows", () => {
  const inForce = formatSettings().replace(/^#(?=[a-z])/gm, "");
  const { config, origins, warnings } = load(inForce);
  expect(warnings).toEqual([]);
  expect(config).toEqual(load(undefined).config);
  expect(origins.dnsClusterDomain[0].kind).toBe("file");
});

test("it has every setting that may stand in a file", () => {
  const named = [...formatSettings().matchAll(/^#([a-z][a-z-]*):/gm)].map((match) => match[1]);
  const expected = OPTION_KEYS.map((key) => OPTIONS[key]).filter((option) => !("notInFile" in option));
  expect(named.toSorted()).toEqual(expected.map((option) => option.name).toSorted());
});
