import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import type { Architecture } from "./architecture.ts";
import { CpioWriter } from "./cpio.ts";
import { aptOptions, command } from "./debian-packages.ts";

/** Raise it when what is in an image changes: images that exist are not looked into. */
const IMAGE_VERSION = 2;

/** systemd, what installs a package, what looks at the result, and charon; with what they depend on. */
const PACKAGES = [
  ...["systemd", "init-system-helpers", "dpkg", "base-files", "base-passwd", "util-linux", "libc-bin", "iproute2"],
  ...["kmod", "nftables", "bash", "dash", "coreutils", "findutils", "grep", "sed", "tar", "busybox-static"],
  ...[
    "charon-systemd",
    "strongswan-swanctl",
    "libstrongswan-standard-plugins",
    "libcharon-extra-plugins",
    "iputils-ping",
  ],
];
/** For people, and half of the bytes. */
const LEFT_OUT = ["doc", "man", "locale", "i18n", "info", "zoneinfo", "perl"];

/**
 * Debian's stable release with systemd, as an archive to be unpacked behind a machine's first file system, made once and
 * kept in the cache. Packages are unpacked and not configured: dpkg is told that they are. Needs apt and dpkg-deb.
 */
export async function debianImage(architecture: Architecture): Promise<string> {
  const cache = process.env["SELVEDGE_CACHE"] ?? `${homedir()}/.cache/selvedge`;
  const archive = `${cache}/machine/${architecture}-debian-${IMAGE_VERSION}.cpio`;
  if (!existsSync(archive)) await build(architecture, archive);
  return archive;
}

async function build(architecture: Architecture, archive: string): Promise<void> {
  const work = `${archive}.${process.pid}`;
  const root = `${work}/root`;
  mkdirSync(root, { recursive: true });
  try {
    const apt = aptOptions(work, architecture);
    await command(["apt-get", ...apt, "-qq", "update"], work);
    const install = ["install", "--download-only", "--yes", "--no-install-recommends"];
    await command(["apt-get", ...apt, "-qq", ...install, ...PACKAGES], work);
    const status: string[] = [];
    for (const file of readdirSync(`${work}/archives`).filter((name) => name.endsWith(".deb"))) {
      const path = `${work}/archives/${file}`;
      await command(["dpkg-deb", "--extract", path, root], work);
      const control = (await command(["dpkg-deb", "--field", path], work)).trim();
      status.push(control.replace(/^(Package: .*)$/m, "$1\nStatus: install ok installed"));
    }
    for (const part of LEFT_OUT) rmSync(`${root}/usr/share/${part}`, { recursive: true, force: true });
    mkdirSync(`${root}/var/lib/dpkg/info`, { recursive: true });
    writeFileSync(`${root}/var/lib/dpkg/status`, `${status.join("\n\n")}\n`);
    for (const name of ["passwd", "group"]) {
      await command(["cp", `${root}/usr/share/base-passwd/${name}.master`, `${root}/etc/${name}`], work);
    }
    const sink = Bun.file(`${work}/archive`).writer();
    const writer = new CpioWriter(sink);
    await writer.tree(root);
    await writer.end();
    await sink.end();
    renameSync(`${work}/archive`, archive);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
