import { expect, test } from "bun:test";
import { formatCharonUnit } from "../../../../edge/install/charon-unit.ts";
import { formatStep, LOCAL_LAYOUT, PACKAGE_LAYOUT, planInstall } from "../../../../edge/install/plan.ts";
import { formatSettings } from "../../../../edge/install/settings.ts";
import { formatUnit } from "../../../../edge/install/unit.ts";

const executable = { path: "/tmp/selvedge", digest: "new" };
const nothing = { binaryDigest: undefined, unitText: undefined, charonUnitText: undefined, configPresent: false };

test("an empty node gets the executable, the unit and the settings", () => {
  expect(planInstall(LOCAL_LAYOUT, executable, nothing)).toEqual([
    { kind: "copy", from: "/tmp/selvedge", path: "/usr/local/bin/selvedge", mode: 0o755 },
    { kind: "write", text: formatUnit(LOCAL_LAYOUT), path: "/etc/systemd/system/selvedge.service", mode: 0o644 },
    {
      kind: "write",
      text: formatCharonUnit(LOCAL_LAYOUT),
      path: "/etc/systemd/system/selvedge-charon.service",
      mode: 0o644,
    },
    { kind: "write", text: formatSettings(), path: "/etc/selvedge/config.yaml", mode: 0o644 },
  ]);
});

test("a second installation of the same changes nothing", () => {
  const units = { unitText: formatUnit(LOCAL_LAYOUT), charonUnitText: formatCharonUnit(LOCAL_LAYOUT) };
  const present = { binaryDigest: "new", ...units, configPresent: true };
  const steps = planInstall(LOCAL_LAYOUT, executable, present);
  expect(steps.map((step) => step.kind)).toEqual(["keep", "keep", "keep", "keep"]);
  expect(steps.map(formatStep)).toEqual([
    "keep    /usr/local/bin/selvedge: it is this executable",
    "keep    /etc/systemd/system/selvedge.service: nothing changed",
    "keep    /etc/systemd/system/selvedge-charon.service: nothing changed",
    "keep    /etc/selvedge/config.yaml: it is yours",
  ]);
});

test("an upgrade brings executable and unit, and leaves the settings alone", () => {
  const present = { binaryDigest: "old", unitText: "[Service]\n", charonUnitText: undefined, configPresent: true };
  const steps = planInstall(PACKAGE_LAYOUT, executable, present);
  expect(steps.map(formatStep)).toEqual([
    "install /usr/bin/selvedge",
    "write   /usr/lib/systemd/system/selvedge.service",
    "write   /usr/lib/systemd/system/selvedge-charon.service",
    "keep    /etc/selvedge/config.yaml: it is yours",
  ]);
});

test("each unit starts the executable of its layout", () => {
  expect(formatUnit(LOCAL_LAYOUT)).toContain("\nExecStart=/usr/local/bin/selvedge run\n");
  expect(formatUnit(PACKAGE_LAYOUT)).toContain("\nExecStart=/usr/bin/selvedge run\n");
  expect(formatCharonUnit(PACKAGE_LAYOUT)).toContain("\nExecCondition=/usr/bin/selvedge charon-config\n");
});
