import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { seconds } from "../../src/base/duration.ts";
import { Debian } from "../lab/debian.ts";
import { Lab } from "../lab/lab.ts";
import { waitFor } from "../lab/wait-for.ts";
import { AGENT } from "../support/edge-world.ts";

const UNIT = "selvedge-charon.service";
const URI = "unix:///run/selvedge/charon/charon.vici";

let lab: Lab;
let node: Debian;

beforeAll(async () => {
  lab = await Lab.create();
  const host = await lab.host("edge1");
  await host.connect(await lab.switch("lan"), { address: "192.168.1.1/24" });
  node = await Debian.boot(host);
  await node.output(["sh", "-euc", "cat >/root/selvedge && chmod 755 /root/selvedge"], { input: readFileSync(AGENT) });
  await node.output(["/root/selvedge", "install"]);
  await node.systemctl("daemon-reload");
}, 90_000);
afterAll(() => lab?.close());

const pid = () => node.property(UNIT, "MainPID");
const answers = () => waitFor("charon's answer", () => node.output(["swanctl", "--stats", "--uri", URI]));

describe("the unit of charon", () => {
  test("runs Debian's charon with the settings and plugins that tunnels need, and three capabilities at most", async () => {
    await node.output(["systemctl", "start", UNIT]);
    expect(await node.systemctl("is-active", UNIT)).toBe("active");
    const stats = await answers();
    expect(stats).toMatch(/loaded plugins: charon-systemd (kernel-libipsec )?random nonce openssl kdf pem .* vici/);
    expect(stats).not.toMatch(/eap|xauth|curl|updown|attr|stroke/);
    const status = await node.output(["cat", `/proc/${await pid()}/status`]);
    // CAP_CHOWN is 0, CAP_NET_BIND_SERVICE is 10, CAP_NET_ADMIN is 12 (linux/capability.h).
    expect(status).toMatch(/^CapBnd:\s*0*1401$/m);
    expect(status).toMatch(/^Seccomp:\s*2$/m);
    expect(await node.output(["stat", "-c", "%a", "/run/selvedge/charon"])).toBe("700\n");
    expect(await node.output(["ip", "rule"])).not.toContain("lookup 220");
  });

  test("starts it again when it dies", async () => {
    const before = await pid();
    await node.output(["kill", "-KILL", before]);
    await waitFor("another charon", async () => !["0", before].includes(await pid()));
    await answers();
  });

  test("is there for an agent that starts, outlives it, and is killed by one when it hangs", async () => {
    await node.output(["systemctl", "stop", UNIT]);
    await node.output(["systemctl", "start", "selvedge"], { timeout: seconds(60) });
    await answers();
    const before = await pid();
    await node.output(["systemctl", "restart", "selvedge"], { timeout: seconds(60) });
    expect(await pid()).toBe(before);
    await node.output(["kill", "-STOP", before]);
    await waitFor("another charon", async () => !["0", before].includes(await pid()), { timeout: seconds(40) });
    await answers();
    await node.output(["systemctl", "stop", "selvedge"]);
  }, 120_000);

  test("leaves the ports to another charon, says who has them, and takes them when they are free", async () => {
    await node.output(["systemctl", "stop", UNIT]);
    await node.output(["systemctl", "start", "strongswan"]);
    const { stderr } = await node.run(["/root/selvedge", "charon-config"]);
    expect(stderr).toContain("UDP port 500 is taken: current value is charon-systemd (process");
    const check = await node.run(["/root/selvedge", "check"]);
    expect(check.stdout).toContain("IKE_PORT_TAKEN");
    // Not skipped for good: it is tried again.
    expect((await node.run(["systemctl", "start", UNIT])).code).not.toBe(0);
    expect(await node.systemctl("is-active", UNIT)).toBe("activating");
    expect(await node.systemctl("is-active", "strongswan")).toBe("active");
    await node.output(["systemctl", "stop", "strongswan"]);
    await answers();
  });

  test("comes after Debian's own where both are to start, so that it is not left to chance who has the ports", async () => {
    await node.output(["systemctl", "stop", UNIT]);
    // In one transaction, as a boot is: words of one command line are as many, and the first may have been done by then.
    const both = `printf '[Unit]\\nWants=${UNIT} strongswan.service\\n' >/run/systemd/system/both.target`;
    // Debian's own takes as long as it is held up: what comes after it waits, and what does not is there before it.
    const slow = `mkdir /run/systemd/system/strongswan.service.d; mkfifo /run/hold
      printf '[Service]\\nExecStartPre=/bin/cat /run/hold\\n' >/run/systemd/system/strongswan.service.d/slow.conf`;
    await node.output(["sh", "-euc", `${both}\n${slow}`]);
    await node.output(["systemctl", "daemon-reload"]);
    await node.output(["systemctl", "start", "--no-block", "both.target"]);
    const begun = async () => (await node.property("strongswan", "SubState")) === "start-pre";
    await waitFor("Debian's own begun", begun);
    expect(await node.systemctl("list-jobs", "--no-legend", UNIT)).toMatch(/start\s+waiting$/);
    await node.output(["sh", "-c", ": >/run/hold"]);
    await waitFor("Debian's own", async () => (await node.systemctl("is-active", "strongswan")) === "active");
    expect(await node.run(["swanctl", "--stats", "--uri", URI])).not.toMatchObject({ code: 0 });
    await node.output(["systemctl", "stop", "strongswan"]);
    await answers();
  });

  test("steps back for good where --vici-socket names another charon", async () => {
    await node.output(["systemctl", "stop", UNIT]);
    await node.output(["sh", "-c", "echo 'vici-socket: /run/charon.vici' >>/etc/selvedge/config.yaml"]);
    await node.systemctl("start", UNIT);
    expect(await node.systemctl("is-active", UNIT)).toBe("inactive");
  });
});
