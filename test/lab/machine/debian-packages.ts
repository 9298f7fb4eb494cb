import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import type { Architecture } from "./architecture.ts";

const SOURCES = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];

/**
 * Unpacks Debian packages of any architecture into a directory, without installing anything: apt works in a directory of
 * its own with this machine's package sources, so what this machine knows of its packages stays as it is.
 * @param packages names; a package that only depends on the newest version of another stands for that one
 */
export async function unpackDebianPackages(
  architecture: Architecture,
  packages: readonly string[],
  into: string,
): Promise<void> {
  const work = `${into}.apt`;
  const apt = aptOptions(work, architecture);
  mkdirSync(`${work}/packages`);
  try {
    await command(["apt-get", ...apt, "-qq", "update"], work);
    const names = await Promise.all(packages.map((name) => newestVersionOf(name, apt, work)));
    await command(["apt-get", ...apt, "-qq", "download", ...names], `${work}/packages`);
    for (const file of readdirSync(`${work}/packages`)) {
      await command(["dpkg-deb", "--extract", `${work}/packages/${file}`, into], work);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * apt-get with a directory of its own, this machine's package sources, and what is installed as `status` says.
 * @param status of dpkg: nothing is installed unless told
 */
export function aptOptions(work: string, architecture: string, status = ""): readonly string[] {
  const sources = SOURCES.find((path) => existsSync(path));
  if (sources === undefined) throw new Error(`Cannot fetch Debian packages as none of ${SOURCES.join(", ")} exists`);
  for (const directory of ["lists/partial", "archives/partial"]) mkdirSync(`${work}/${directory}`, { recursive: true });
  writeFileSync(`${work}/status`, status);
  const settings = {
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Sandbox::User": "root",
    "Acquire::Retries": "3",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    "Dir::State": work,
    "Dir::State::status": `${work}/status`,
    "Dir::Cache": work,
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": "-",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

/** linux-image-cloud-arm64 depends on linux-image-6.1.0-56-cloud-arm64, and contains nothing. */
async function newestVersionOf(name: string, apt: readonly string[], cwd: string): Promise<string> {
  if (!name.startsWith("linux-image-")) return name;
  const dependencies = await command(["apt-cache", ...apt, "depends", "--important", name], cwd);
  const version = /Depends: (linux-image-\S+)/.exec(dependencies)?.[1];
  if (version === undefined) throw new Error(`Cannot find the kernel that ${name} stands for:\n${dependencies}`);
  return version;
}

export async function command(argv: readonly string[], cwd: string): Promise<string> {
  const process = Bun.spawn([...argv], { cwd, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([process.stdout.text(), process.stderr.text(), process.exited]);
  if (code !== 0) throw new Error(`Cannot run "${argv.join(" ")}" as it failed: exit ${code}\n${stderr}`);
  return stdout;
}
