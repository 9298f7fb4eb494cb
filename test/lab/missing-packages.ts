import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { aptOptions, command } from "./machine/debian-packages.ts";

/** dpkg's own list of what this machine has. */
const STATUS = "/var/lib/dpkg/status";

/**
 * Fetches Debian packages and what they need of others that this machine lacks, and installs nothing here: for
 * `Debian.install`. They are kept in the cache for as long as the machine has the same packages.
 * @returns the folder of their files
 */
export async function fetchMissingPackages(packages: readonly string[]): Promise<string> {
  const cache = process.env["SELVEDGE_CACHE"] ?? `${homedir()}/.cache/selvedge`;
  const status = readFileSync(STATUS, "utf8");
  const key = Bun.hash(`${packages.join(" ")}\n${status}`).toString(16);
  const folder = `${cache}/packages/${packages[0]}-${key}`;
  if (existsSync(folder)) return folder;
  const work = `${folder}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const architecture = (await command(["dpkg", "--print-architecture"], work)).trim();
    const apt = aptOptions(work, architecture, status);
    await command(["apt-get", ...apt, "-qq", "update"], work);
    const install = ["install", "--download-only", "--yes", "--no-install-recommends"];
    await command(["apt-get", ...apt, "-qq", ...install, ...packages], work);
    rmSync(`${work}/archives/partial`, { recursive: true });
    rmSync(`${work}/archives/lock`, { force: true });
    renameSync(`${work}/archives`, folder);
  } catch (error) {
    // Somebody else may have been quicker.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}
