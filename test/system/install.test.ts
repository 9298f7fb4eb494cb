import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import { AGENT } from "../support/edge-world.ts";

const BINARY = "/usr/local/bin/selvedge";
const UNIT = "/etc/systemd/system/selvedge.service";
const CHARON_UNIT = "/etc/systemd/system/selvedge-charon.service";
const SETTINGS = "/etc/selvedge/config.yaml";

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = await Lab.create();
  host = await lab.host("edge1");
  // /etc is the host's own already.
  await host.output(["mount", "-t", "tmpfs", "tmpfs", "/usr/local"]);
}, seconds(30));
afterAll(() => lab?.close());

const install = (...flags: readonly string[]) => host.output([AGENT, "install", ...flags]);
const state = () =>
  host.output([
    "sh",
    "-c",
    `sha256sum ${BINARY} ${UNIT} ${SETTINGS}; stat -c '%n %a %Y %i' ${BINARY} ${UNIT} ${SETTINGS}`,
  ]);
const exists = async (path: string) => (await host.run(["test", "-e", path])).code === 0;

describe("selvedge install", () => {
  test("with --dry-run says what it would do and does nothing", async () => {
    expect(
      (await install("--dry-run"))
        .trim()
        .split("\n")
        .map((line) => line.replace(/ +/, " ")),
    ).toEqual([`install ${BINARY}`, `write ${UNIT}`, `write ${CHARON_UNIT}`, `write ${SETTINGS}`]);
    for (const path of [BINARY, UNIT, CHARON_UNIT, SETTINGS]) expect([path, await exists(path)]).toEqual([path, false]);
  });

  test("places executable, unit and settings with their modes", async () => {
    await install();
    const modes = await host.output(["stat", "-c", "%n %a %U:%G", BINARY, UNIT, CHARON_UNIT, SETTINGS]);
    expect(modes.trim().split("\n")).toEqual([
      `${BINARY} 755 root:root`,
      `${UNIT} 644 root:root`,
      `${CHARON_UNIT} 644 root:root`,
      `${SETTINGS} 644 root:root`,
    ]);
    expect(await host.run(["cmp", AGENT, BINARY])).toMatchObject({ code: 0 });
    expect(await host.output([BINARY, "version"])).toBe(await host.output([AGENT, "version"]));
  });

  test("writes units that systemd takes without a word", async () => {
    const { code, stdout, stderr } = await host.run(["systemd-analyze", "verify", "--man=no", UNIT, CHARON_UNIT]);
    // Of systemd 254: older ones ignore them.
    const words = stderr.split("\n").filter((line) => !/'(RestartSteps|RestartMaxDelaySec)'/.test(line));
    expect([code, stdout, ...words]).toEqual([0, "", ""]);
    expect(await host.readFile(UNIT)).toContain(`ExecStart=${BINARY} run`);
  });

  test("writes settings that change nothing, every one of which can be uncommented", async () => {
    const withFile = await host.output([BINARY, "config", "view"]);
    expect(withFile).not.toContain(" file");
    const text = await host.readFile(SETTINGS);
    await host.writeFile(SETTINGS, text.replaceAll(/^#(?=[a-z])/gm, ""));
    const uncommented = await host.run([BINARY, "config", "view"]);
    expect(uncommented).toMatchObject({ code: 0, stderr: "" });
    expect(uncommented.stdout.match(/ file$/gm)?.length).toBeGreaterThan(10);
    await host.writeFile(SETTINGS, text);
  });

  test("a second time changes nothing", async () => {
    const before = await state();
    const lines = (await install()).trim().split("\n");
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(line).toStartWith("keep ");
    expect(await state()).toBe(before);
  });

  test("leaves the owner's settings alone and puts a changed unit and executable right", async () => {
    await host.writeFile(SETTINGS, "node-name: mine\n");
    await host.writeFile(UNIT, "[Unit]\n");
    await host.output(["cp", "/bin/true", BINARY]);
    await install();
    expect(await host.readFile(SETTINGS)).toBe("node-name: mine\n");
    expect(await host.readFile(UNIT)).toContain("Type=notify");
    expect(await host.run(["cmp", AGENT, BINARY])).toMatchObject({ code: 0 });
  });

  test("leaves no half file when the disk is full, and says so", async () => {
    await host.output(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/usr/local"]);
    const { code, stderr } = await host.run([AGENT, "install"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`Cannot install ${BINARY}: ENOSPC`)]);
    expect(await host.output(["find", "/usr/local", "-type", "f"])).toBe("");
    await host.output(["umount", "/usr/local"]);
  });
});
