import { readdirSync, readFileSync } from "node:fs";
import { seconds } from "../../src/base/duration.ts";
import type { Host } from "./host.ts";
import { Namespace } from "./namespace.ts";
import type { LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

/**
 * A control group of its own, for systemd to make others in. The kernel keeps empty ones when a lab ends, so the next lab
 * removes what is left of the ones before, but nothing of those whose maker lives: theirs are empty for a moment.
 */
const GROUP = `
mount -t tmpfs tmpfs /mnt
mount -t cgroup2 cgroup2 --mkdir=0755 /mnt/groups
for group in /mnt/groups/selvedge-lab-*; do
  maker=\${group#*-lab-}
  case " $2 " in
    *" \${maker%%-*} "*) ;;
    *) find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true ;;
  esac
done
group=/mnt/groups/selvedge-lab-$1
mkdir "$group"
echo 0 >"$group/cgroup.procs"
umount /mnt/groups /mnt
shift 2
exec "$@"
`;

/**
 * Its disk, which outlives a boot, and boots until one is not followed by another: reboot(2) in a process namespace ends
 * its init with SIGHUP. None of this machine's services is started: what wants them is left out of the copy.
 */
const POWER_ON = `
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root
rm -rf etc/systemd/system/*.wants usr/lib/systemd/system/*.wants usr/sbin/policy-rc.d
cat /proc/sys/kernel/hostname >etc/hostname
rm -f etc/resolv.conf
: >etc/resolv.conf
network=
while :; do
  status=0
  unshare --mount --pid --ipc --cgroup $network --fork --kill-child sh -euc "$1" || status=$?
  [ $status = 129 ] || exit $status
  network=--net
done
`;

/** The kernel's part is new at every boot but the first: no interface but lo, no table, no route. */
const BOOT = `
cd /mnt/root
ip link set lo up
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
const BOOT_TIMEOUT = seconds(60);

/**
 * This machine's Debian on a host of the lab: the same files, copied on write, with systemd as process 1. Packages can
 * be installed and removed, services run, and everything goes with the lab.
 */
export class Debian extends Namespace {
  static async boot(host: Host): Promise<Debian> {
    // The lab numbers its own processes only, and sees none of these.
    const living = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    const group = `${process.pid}-${crypto.randomUUID()}`;
    const inGroup = ["unshare", "--mount", "sh", "-euc", GROUP, "sh", group, living.join(" ")];
    const machine = await host.spawn([...inGroup, "sh", "-euc", POWER_ON, "sh", BOOT]);
    return await Debian.#enter(machine, host.name, "");
  }

  readonly #machine: LabProcess;
  readonly #init: string;

  private constructor(machine: LabProcess, name: string, init: string) {
    super(name, ["nsenter", "-t", init, "--all", "--root", "--wdns=/", "--"]);
    this.#machine = machine;
    this.#init = init;
  }

  /** @param before the init of the boot before */
  static async #enter(machine: LabProcess, name: string, before: string): Promise<Debian> {
    const init = await waitFor(
      "systemd started",
      () => {
        if (!machine.running) throw new Error(`Cannot boot Debian on ${name}:\n${machine.log}`);
        const child = onlyChild(onlyChild(String(machine.pid)));
        return child !== before && readFileSync(`/proc/${child}/comm`, "latin1") === "systemd\n" && child;
      },
      { timeout: BOOT_TIMEOUT },
    );
    const debian = new Debian(machine, name, init);
    const isUp = async () => (await debian.systemctl("is-active", "multi-user.target")) === "active";
    await waitFor("systemd up", isUp, { timeout: BOOT_TIMEOUT });
    return debian;
  }

  /** Down and up again: with the same disk, and with no network but lo. This object is of no use afterwards. */
  async reboot(): Promise<Debian> {
    await this.systemctl("--no-block", "reboot");
    return await Debian.#enter(this.#machine, this.name, this.#init);
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

function onlyChild(pid: string): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
}
