import { readFileSync } from "node:fs";
import { seconds } from "../../src/base/duration.ts";
import type { Host } from "./host.ts";
import { Namespace } from "./namespace.ts";
import { waitFor } from "./wait-for.ts";

/**
 * A control group of its own, for systemd to make others in. The kernel keeps empty ones when a lab ends, so the next lab
 * removes what is left of the ones before.
 */
const GROUP = `
mount -t tmpfs tmpfs /mnt
mount -t cgroup2 cgroup2 --mkdir=0755 /mnt/groups
find /mnt/groups/selvedge-lab-* -depth -type d -exec rmdir {} + 2>/dev/null || true
group=/mnt/groups/selvedge-lab-$1
mkdir "$group"
echo 0 >"$group/cgroup.procs"
umount /mnt/groups /mnt
shift
exec "$@"
`;

/** None of this machine's services is started: what wants them is left out of the copy. */
const BOOT = `
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root
rm -rf etc/systemd/system/*.wants usr/lib/systemd/system/*.wants usr/sbin/policy-rc.d
cat /proc/sys/kernel/hostname >etc/hostname
rm -f etc/resolv.conf
: >etc/resolv.conf
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
pivot_root . mnt
umount -l /mnt
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target
`;

/** A policy-rc.d that says 101 forbids the start of services (invoke-rc.d(8)). */
const INSTALL = `
export DEBIAN_FRONTEND=noninteractive
mkdir /var/packages
tar -x -C /var/packages
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
rm -f /var/lib/man-db/auto-update
quickly="--force-unsafe-io --path-exclude=/usr/share/man/* --path-exclude=/usr/share/doc/*"
find /var/packages -name '*.deb' -exec dpkg --install $quickly {} +
rm -r /usr/sbin/policy-rc.d /var/packages
`;
const INSTALL_TIMEOUT = seconds(120);

/**
 * This machine's Debian on a host of the lab: the same files, copied on write, with systemd as process 1. Packages can
 * be installed and removed, services run, and everything goes with the lab.
 */
export class Debian extends Namespace {
  static async boot(host: Host): Promise<Debian> {
    const inGroup = ["unshare", "--mount", "sh", "-euc", GROUP, "sh", `${process.pid}-${host.name}`];
    const isolate = ["unshare", "--mount", "--pid", "--ipc", "--cgroup", "--fork", "--kill-child"];
    const entry = await host.spawn([...inGroup, ...isolate, "sh", "-euc", BOOT]);
    const init = await waitFor("systemd started", () => {
      if (!entry.running) throw new Error(`Cannot boot Debian on ${host.name}:\n${entry.log}`);
      const child = readFileSync(`/proc/${entry.pid}/task/${entry.pid}/children`, "latin1").trim();
      return readFileSync(`/proc/${child}/comm`, "latin1") === "systemd\n" && child;
    });
    const debian = new Debian(host.name, ["nsenter", "-t", init, "--all", "--root", "--wdns=/", "--"]);
    await waitFor("systemd up", async () => (await debian.systemctl("is-active", "multi-user.target")) === "active");
    return debian;
  }

  /**
   * Installs packages and starts none of their services: a test does that. What only people read is left out.
   * @param folder of package files, such as `fetchMissingPackages` returns
   */
  async install(folder: string): Promise<void> {
    const archive = await Bun.$`tar -C ${folder} -c .`.quiet();
    await this.output(["sh", "-euc", INSTALL], { input: archive.bytes(), timeout: INSTALL_TIMEOUT });
  }

  /** @returns what it prints, whether it succeeds or not */
  async systemctl(...argv: readonly string[]): Promise<string> {
    return (await this.run(["systemctl", ...argv])).stdout.trim();
  }

  /** A property of a unit, as `systemctl show` names it. */
  property(unit: string, name: string): Promise<string> {
    return this.systemctl("show", unit, "--value", "--property", name);
  }
}
