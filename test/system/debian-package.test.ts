import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { Debian } from "../lab/debian.ts";
import { Lab } from "../lab/lab.ts";
import { waitFor } from "../lab/wait-for.ts";
import { buildPackages, type Packages, unpackReleased } from "../support/debian-packages.ts";

const ROOT = join(import.meta.dir, "../..");
const UNIT = "selvedge.service";
const SETTINGS = "/etc/selvedge/config.yaml";
const DROP_IN = `/run/systemd/system/${UNIT}.d/test.conf`;

/** systemd calls anything below 4.1 "OK"; without the unit's hardening it is 9.6, "UNSAFE". */
const MOST_EXPOSURE = 3;

const CONFLIST = "/etc/cni/net.d/fabedge.conflist";
const PLUGIN = "/opt/cni/bin/selvedge-cni";
const CNI_FOLDERS = ["/var/lib/cni/networks", "/var/lib/cni", "/opt/cni/bin", "/opt/cni", "/etc/cni/net.d", "/etc/cni"];
const OWN_FOLDERS = ["/etc/selvedge", "/var/lib/selvedge"];

const directory = mkdtempSync(join(tmpdir(), "selvedge-package-"));
let lab: Lab;
let node: Debian;
let packages: Packages;
let untouched: string;

beforeAll(async () => {
  lab = await Lab.create();
  const host = await lab.host("edge1");
  await host.connect(await lab.switch("lan"), { address: "192.0.2.11/24" });
  node = await Debian.boot(host);
  packages = await buildPackages(directory, node, unpackReleased);
  // What this machine may have of them is copied: the package takes empty ones with it.
  await node.output(["sh", "-c", `rmdir ${[...CNI_FOLDERS, ...OWN_FOLDERS].join(" ")} 2>/dev/null; true`]);
  untouched = await inventory();
}, seconds(300));
afterAll(async () => {
  await lab?.close();
  rmSync(directory, { recursive: true });
});

const property = (name: string) => node.property(UNIT, name);
const isActive = () => node.systemctl("is-active", UNIT);
const started = () => waitFor("the agent ready", async () => (await isActive()) === "active", { timeout: seconds(20) });
const exists = async (path: string) => (await node.run(["test", "-e", path])).code === 0;
const write = (path: string, content: string | Uint8Array) =>
  node.output(["sh", "-euc", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "sh", path], { input: content });

/** Its exit status speaks of a cloud that is not there. */
const agentStatus = async (program: string) => (await node.run([program, "status"])).stdout;

/** Our tables with their handles: a table that was deleted and made again has another one. */
const tables = async () => (await node.output(["nft", "-a", "list", "tables"])).trim();

/**
 * Files, users, units, and what is in the kernel's tables; dpkg's, the journal's and systemd's own books about the day
 * are not the package's.
 */
function inventory(): Promise<string> {
  const script = `
    find /etc /run /usr /var -xdev \
      -path /var/lib/dpkg -prune -o -path /var/log -prune -o -path /run/log -prune -o -path /run/systemd -prune -o \
      -path /var/lib/systemd/timers -prune -o -path '/run/credentials*' -prune -o -path /run/udev -prune -o -print | sort
    cat /etc/passwd /etc/group
    systemctl list-unit-files --no-legend --no-pager
    nft list ruleset
    ip -o link | cut -d: -f2
    for family in -4 -6; do
      ip $family rule
      ip $family route show table all
    done`;
  return node.output(["sh", "-euc", script]);
}

const POD = "/run/pod";

/** As a container runtime does by the agent's configuration. */
async function cni(command: "ADD" | "DEL"): Promise<void> {
  const { name, cniVersion, plugins } = JSON.parse(await node.output(["cat", CONFLIST]));
  const env = [`CNI_COMMAND=${command}`, "CNI_CONTAINERID=pod", "CNI_IFNAME=eth0", `CNI_NETNS=${POD}`];
  const input = JSON.stringify({ ...plugins[0], name, cniVersion });
  await node.output(["env", ...env, "CNI_PATH=/opt/cni/bin", PLUGIN], { input });
}

/** A drop-in of the administrator's. */
async function changeUnit(lines: string): Promise<void> {
  await write(DROP_IN, `[Service]\n${lines}\n`);
  await node.systemctl("daemon-reload");
}

describe("the Debian package", () => {
  test("places executable, unit and settings, and starts nothing", async () => {
    await node.output(["dpkg", "--install", packages.older]);
    const files = (await node.output(["dpkg", "--listfiles", "selvedge"])).split("\n");
    expect(files).toContainValues(["/usr/bin/selvedge", `/usr/lib/systemd/system/${UNIT}`, SETTINGS]);
    expect(await node.output(["dpkg", "--status", "selvedge"])).toContain(`Conffiles:\n ${SETTINGS} `);
    expect(await node.systemctl("is-enabled", UNIT)).toBe("disabled");
    expect(await isActive()).toBe("inactive");
    expect(await tables()).toBe("");
  });

  test("is ready, for systemd, when its services are in the kernel", async () => {
    await node.output(["systemctl", "enable", "--now", UNIT]);
    expect(await isActive()).toBe("active");
    await waitFor("what is wrong, in systemctl status", async () =>
      /^[A-Z]+_[A-Z_]+: /.test(await property("StatusText")),
    );
    expect(await tables()).toContain("selvedge");
    expect(await agentStatus("selvedge")).toContain("edge1");
  });

  test("holds three capabilities, and neither variable that would make another program of it", async () => {
    const pid = await property("MainPID");
    const status = await node.output(["cat", `/proc/${pid}/status`]);
    // CAP_NET_BIND_SERVICE is 10, CAP_NET_ADMIN is 12, CAP_NET_RAW is 13 (linux/capability.h).
    expect(status).toMatch(/^CapEff:\s*0*3400$/m);
    expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
    expect(status).toMatch(/^Seccomp:\s*2$/m);
    await changeUnit("Environment=BUN_BE_BUN=1 BUN_OPTIONS=--version");
    await node.output(["systemctl", "restart", UNIT]);
    expect(await isActive()).toBe("active");
  });

  test("is among the least exposed of services, as systemd judges", async () => {
    const report = await node.output(["systemd-analyze", "security", "--no-pager", UNIT]);
    const figure = /Overall exposure level for \S+: ([\d.]+) (\w+)/.exec(report);
    console.log(`systemd-analyze security: ${figure?.[0]}`);
    expect(Number(figure?.[1])).toBeLessThan(MOST_EXPOSURE);
  });

  test(
    "is started again when it dies, and when it hangs",
    async () => {
      await changeUnit("WatchdogSec=3s");
      await node.output(["systemctl", "restart", UNIT]);
      for (const signal of ["KILL", "STOP"]) {
        const pid = await property("MainPID");
        await node.output(["kill", `-${signal}`, pid]);
        await waitFor(`another agent after SIG${signal}`, async () => !["0", pid].includes(await property("MainPID")), {
          timeout: seconds(30),
        });
        await started();
      }
      expect(Number(await property("NRestarts"))).toBe(2);
    },
    seconds(90),
  );

  test("stays down after a wrong setting, which systemd shows as exit 78", async () => {
    const settings = await node.output(["cat", SETTINGS]);
    await write(SETTINGS, `${settings}\nproxy-mode: fast\n`);
    await node.run(["systemctl", "restart", UNIT]);
    expect(await property("ExecMainStatus")).toBe("78");
    expect(await property("ActiveState")).toBe("failed");
    expect(await property("NRestarts")).toBe("0");
    await write(SETTINGS, `${settings}\nnode-name: mine\n`);
    await node.output(["systemctl", "restart", UNIT]);
    expect(await agentStatus("selvedge")).toContain("mine");
  });

  test("connects the pods of its subnets, as far as its unit lets it", async () => {
    const endpoint = [
      "subnets: [10.1.7.0/24, 'fd00:7::/64']",
      "nodeSubnets: [192.0.2.11]",
      "type: EdgeNode",
      "peers: []",
    ];
    const identity = ["id: C=CN, O=fabedge.io, CN=paris.mine", "name: paris.mine", "publicAddresses: [192.0.2.11]"];
    await write("/etc/selvedge/tunnels.yaml", `${[...identity, ...endpoint].join("\n")}\n`);
    const settings = await node.output(["cat", SETTINGS]);
    await write(SETTINGS, `${settings}\ntunnels-conf: /etc/selvedge/tunnels.yaml\n`);
    await node.output(["systemctl", "restart", UNIT]);
    await waitFor("the network configuration", () => exists(CONFLIST));
    expect(await node.output(["readlink", PLUGIN])).toBe("/usr/bin/selvedge\n");
    expect(await node.output(["ip", "-br", "address", "show", "br-fabedge"])).toMatch(/10\.1\.7\.1\/24 fd00:7::1\/64/);
    expect(await agentStatus("selvedge")).not.toContain("POD_");
    await node.output(["sh", "-euc", 'touch "$0" && unshare --net="$0" true', POD]);
    await cni("ADD");
    await write(SETTINGS, settings);
    await node.output(["rm", "/etc/selvedge/tunnels.yaml"]);
    await node.output(["systemctl", "restart", UNIT]);
  });

  test("leaves the kernel as it is when it is stopped and when it is upgraded", async () => {
    const before = await tables();
    await node.output(["systemctl", "stop", UNIT]);
    expect(await tables()).toBe(before);
    await node.output(["systemctl", "start", UNIT]);
    const pid = await property("MainPID");
    await node.output(["dpkg", "--install", packages.newer]);
    await started();
    expect(await property("MainPID")).not.toBe(pid);
    expect(await tables()).toBe(before);
    expect(await node.output(["cat", SETTINGS])).toContain("node-name: mine");
  });

  test("takes its state out of the kernel when it is removed, and keeps cache and settings until it is purged", async () => {
    const { stdout, stderr } = await node.run(["dpkg", "--remove", "selvedge"]);
    expect(stdout).toMatch(/^kept link br-fabedge, .*: a pod hangs on it$/m);
    expect(stderr).toContain(`When they are gone: ${PLUGIN} cleanup`);
    expect(await tables()).toBe("");
    expect(await exists("/var/lib/selvedge")).toBeTrue();
    expect(await exists(SETTINGS)).toBeTrue();
  });

  test("leaves the plugin to the pods that are connected, with which they and their network go", async () => {
    await node.output(["nsenter", `--net=${POD}`, "ping", "-c", "1", "-W", "2", "10.1.7.1"]);
    await cni("DEL");
    await node.output(["sh", "-euc", 'umount "$0" && rm "$0"', POD]);
    const removed = await node.output([PLUGIN, "cleanup"]);
    for (const what of [CONFLIST, PLUGIN, "br-fabedge", "/var/lib/cni/networks/fabedge"])
      expect(removed).toContain(what);
  });

  test("leaves nothing when it is purged, where no container runtime watches a folder", async () => {
    await node.output(["rm", DROP_IN]);
    // As selvedge join leaves it.
    await write("/etc/selvedge/tls/tls.key", "a key\n");
    await node.output(["dpkg", "--purge", "selvedge"]);
    expect(await inventory()).toEqual(untouched);
  });
});

test("selvedge install makes a working node of a copied file, and says so", async () => {
  await node.output(["cp", join(ROOT, "dist/selvedge-linux-x64"), "/opt/selvedge"]);
  expect(await node.output(["/opt/selvedge", "install"])).toContain("/usr/local/bin/selvedge");
  await node.output(["systemctl", "enable", "--now", UNIT]);
  expect(await isActive()).toBe("active");
  expect(await agentStatus("/usr/local/bin/selvedge")).toContain("edge1");
});
