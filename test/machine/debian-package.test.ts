import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { Machine } from "../lab/machine/machine.ts";
import { MAKE_POD } from "../lab/machine/make-pod.ts";
import { waitFor } from "../lab/wait-for.ts";
import {
  BACKEND_PORT,
  BACKENDS,
  CLUSTER_IP,
  cacheOfConnectedAgent,
  DNS_ADDRESS,
  NAME,
} from "../support/connected-cache.ts";
import { effort } from "../support/effort.ts";

const ROOT = join(import.meta.dir, "../..");
const UNIT = "selvedge.service";
/** Everything takes twenty times as long as on the machine that emulates. */
const LIMIT = seconds(300);
/** Systemd, and the package, on its file system in memory. */
const MEMORY_MEGABYTES = 2048;

const SETTINGS = `node-name: edge1
source: hub
source-url: http://127.0.0.1:8080
dns-bind-ip: ${DNS_ADDRESS}
dns-cluster-domain: cluster.local
`;

/** busybox is linked statically, and its wget does not get along with a C library's files for names. */
const REQUEST = `#!/bin/bash
exec 3<>/dev/tcp/${CLUSTER_IP}/80
printf 'GET /name HTTP/1.0\\r\\n\\r\\n' >&3
timeout 30 sed -n '$p' <&3 | grep .
`;

/** The package of this tree, not compressed: an emulated processor would take a minute for that. */
async function buildPackage(): Promise<Uint8Array> {
  const built = await Bun.$`scripts/package --fast arm64`.cwd(ROOT).text();
  return await Bun.file(join(ROOT, /^(dist\/\S+\.deb)/m.exec(built)?.[1] ?? "")).bytes();
}

function defineTests(): void {
  let machine: Machine;
  const output = (script: string) => machine.output(script, LIMIT);
  const isActive = async () => (await machine.run(`systemctl is-active ${UNIT}`, LIMIT)).output === "active\n";

  beforeAll(async () => {
    const files = {
      ...(await cacheOfConnectedAgent()),
      "/var/selvedge.deb": await buildPackage(),
      "/usr/bin/make-pod": MAKE_POD,
      "/usr/bin/request": REQUEST,
      ...Object.fromEntries(Object.keys(BACKENDS).map((name) => [`/srv/${name}/name`, `${name}\n`])),
      "/etc/resolv.conf": "",
      "/etc/settings": SETTINGS,
    };
    machine = await Machine.boot({
      architecture: "arm64",
      system: "systemd",
      memoryMegabytes: MEMORY_MEGABYTES,
      files,
    });
    for (const [name, address] of Object.entries(BACKENDS)) {
      await output(`make-pod ${name} ${address} httpd -f -p ${BACKEND_PORT} -h /srv/${name}`);
    }
  }, 2 * LIMIT);
  afterAll(() => machine?.close());

  test(
    "is installed and, once it is configured, started by its unit under its hardening",
    async () => {
      await output("dpkg --install /var/selvedge.deb");
      expect((await machine.run(`systemctl is-enabled ${UNIT}`, LIMIT)).output).toBe("disabled\n");
      await output("cp /etc/settings /etc/selvedge/config.yaml");
      await output(`systemctl enable --now ${UNIT}`);
      expect(await isActive()).toBeTrue();
      const pid = (await output(`systemctl show ${UNIT} --value --property MainPID`)).trim();
      const status = await output(`cat /proc/${pid}/status`);
      // CAP_NET_BIND_SERVICE is 10, CAP_NET_ADMIN is 12, CAP_NET_RAW is 13 (linux/capability.h).
      expect(status).toMatch(/^CapEff:\s*0*3400$/m);
      expect(status).toMatch(/^Seccomp:\s*2$/m);
      const security = await output(`systemd-analyze security --no-pager ${UNIT} | tail -1`);
      console.log(`arm64, systemd-analyze security: ${security.trim()}`);
    },
    LIMIT,
  );

  test(
    "answers names, and leads a service to its pods, from the cache and with no cloud",
    async () => {
      expect(await output(`nslookup ${NAME} ${DNS_ADDRESS}`)).toContain(`Address: ${CLUSTER_IP}`);
      const names = (await output("for i in $(seq 12); do request; done")).trim().split("\n");
      expect([...new Set(names)].sort()).toEqual(Object.keys(BACKENDS).sort());
    },
    LIMIT,
  );

  test(
    "is upgraded with no request that fails, and answers names again",
    async () => {
      const pid = await output(`systemctl show ${UNIT} --value --property MainPID`);
      const load =
        "while [ ! -e /run/enough ]; do request >/dev/null 2>&1 && echo worked || echo failed; sleep 0.2; done";
      await output(`(${load}) >/run/requests &`);
      await output("dpkg --install /var/selvedge.deb");
      await waitFor("the agent ready", isActive, { timeout: LIMIT });
      expect(await output(`systemctl show ${UNIT} --value --property MainPID`)).not.toBe(pid);
      await output("touch /run/enough");
      const lines = (await output("cat /run/requests")).trim().split("\n");
      console.log(`arm64, requests during the upgrade: ${lines.length}`);
      expect(lines.filter((line) => line !== "worked")).toEqual([]);
      // Not during it: an emulated agent takes longer to start than nslookup waits.
      expect(await output(`nslookup ${NAME} ${DNS_ADDRESS}`)).toContain(`Address: ${CLUSTER_IP}`);
    },
    LIMIT,
  );

  test(
    "leaves nothing when it is purged",
    async () => {
      await output("dpkg --purge selvedge");
      expect(await output("nft list ruleset")).toBe("");
      expect(await output("ip -o link show type dummy")).toBe("");
      expect(await output("ip rule")).not.toContain("1094");
      const left = "find / -xdev -name '*selvedge*' ! -path '/var/selvedge.deb' ! -path '/var/lib/dpkg/*'";
      expect(await output(left)).toBe("");
    },
    LIMIT,
  );
}

// Some minutes: for those who ask for all of it.
if (effort(0, 1) === 1) describe("the arm64 package on a Cortex-A53 with Debian's systemd", defineTests);
