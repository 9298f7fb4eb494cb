import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { applyInstall, observeInstallation } from "../../../../edge/install/apply.ts";
import { formatCharonUnit } from "../../../../edge/install/charon-unit.ts";
import { type Layout, LOCAL_LAYOUT, planInstall } from "../../../../edge/install/plan.ts";
import { formatUnit } from "../../../../edge/install/unit.ts";

let root: string;
let layout: Layout;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "selvedge-install-"));
  layout = {
    binary: `${root}/bin/selvedge`,
    unit: `${root}/units/selvedge.service`,
    charonUnit: `${root}/charon/selvedge-charon.service`,
    config: `${root}/etc/config.yaml`,
  };
});
afterEach(() => rmSync(root, { recursive: true }));

function executable(bytes: string | Buffer) {
  const path = join(root, "downloaded");
  writeFileSync(path, bytes);
  return { path, digest: new Bun.CryptoHasher("sha256").update(bytes).digest("hex") };
}

function install(bytes: string | Buffer) {
  const steps = planInstall(layout, executable(bytes), observeInstallation(layout));
  applyInstall(steps);
  return steps.map((step) => step.kind);
}

describe("an installation", () => {
  test("stands after it, with its modes, and the next one of the same changes nothing", () => {
    expect(install("#!/bin/sh\necho one\n")).toEqual(["copy", "write", "write", "write"]);
    expect(Bun.spawnSync([layout.binary]).stdout.toString()).toBe("one\n");
    expect(readFileSync(layout.unit, "utf8")).toBe(formatUnit(layout));
    const modes = [layout.binary, layout.unit, layout.config].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o755, 0o644, 0o644]);
    expect(install("#!/bin/sh\necho one\n")).toEqual(["keep", "keep", "keep", "keep"]);
  });

  test("replaces an executable that runs, and keeps the settings", async () => {
    mkdirSync(dirname(layout.config), { recursive: true });
    writeFileSync(layout.config, "node-name: mine\n");
    install(readFileSync("/bin/cat"));
    await using running = Bun.spawn([layout.binary], { stdin: "pipe", stdout: "pipe" });
    expect(install(readFileSync("/bin/echo"))).toEqual(["copy", "keep", "keep", "keep"]);
    running.stdin.write("still a cat");
    running.stdin.end();
    expect(await running.stdout.text()).toBe("still a cat");
    expect(Bun.spawnSync([layout.binary, "an echo"]).stdout.toString()).toBe("an echo\n");
    expect(readFileSync(layout.config, "utf8")).toBe("node-name: mine\n");
  });

  test("that cannot be finished says what to do and leaves no half a file", () => {
    mkdirSync(join(layout.unit, "in the way"), { recursive: true });
    const steps = planInstall(layout, executable("one"), {
      binaryDigest: undefined,
      unitText: undefined,
      charonUnitText: undefined,
      configPresent: true,
    });
    expect(() => applyInstall(steps)).toThrow(
      expect.objectContaining({ code: "INSTALL_FAILED", message: expect.stringContaining(layout.unit) }),
    );
    expect(readdirSync(dirname(layout.unit))).toEqual(["selvedge.service"]);
  });
});

describe.each([
  ["selvedge.service", formatUnit],
  ["selvedge-charon.service", formatCharonUnit],
] as const)("%s", (name, format) => {
  const file = () => {
    const path = join(root, name);
    writeFileSync(path, format({ ...LOCAL_LAYOUT, binary: "/bin/true" }));
    return path;
  };

  test("is exposed 2.5 of 10 at most, as systemd counts", () => {
    const { stdout, exitCode } = Bun.spawnSync([
      "systemd-analyze",
      "security",
      "--offline=true",
      "--threshold=25",
      file(),
    ]);
    expect(stdout.toString()).toContain("Overall exposure level");
    expect(exitCode).toBe(0);
  });

  test("has no line that systemd does not understand, but for those of newer versions", () => {
    const { stderr } = Bun.spawnSync(["systemd-analyze", "verify", file()]);
    const complaints = stderr
      .toString()
      .split("\n")
      .filter((line) => line !== "" && !/'Restart(Steps|MaxDelaySec)'/.test(line));
    expect(complaints).toEqual([]);
  });
});
