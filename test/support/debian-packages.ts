import { join } from "node:path";
import type { Debian } from "../lab/debian.ts";

const ROOT = join(import.meta.dir, "../..");

/** What the later of the two packages says of itself. */
export const LATER_VERSION = "99.0.0";

/** Packages of this tree, on the node: its own version, and the same program under a later one. */
export interface Packages {
  readonly older: string;
  readonly newer: string;
}

/** Unpacks the package that is given away. */
export async function unpackReleased(tree: string): Promise<void> {
  const built = await Bun.$`scripts/package --fast amd64`.cwd(ROOT).text();
  const file = /^(dist\/\S+\.deb)/m.exec(built)?.[1];
  if (file === undefined) throw new Error(`Cannot find the package in: ${built}`);
  await Bun.$`dpkg-deb --raw-extract ${join(ROOT, file)} ${tree}`.quiet();
}

/** Puts together what it has inside, of the executable in dist/. */
export async function makeTree(tree: string): Promise<void> {
  const version = (await Bun.$`scripts/version --debian`.cwd(ROOT).text()).trim();
  await Bun.$`${process.execPath} scripts/package-tree.ts ${tree} ${version} amd64`.cwd(ROOT).quiet();
}

/**
 * @param directory for what is built on the way
 * @param fill writes the older package's files into a folder that is not there yet
 */
export async function buildPackages(
  directory: string,
  node: Debian,
  fill: (tree: string) => Promise<void>,
): Promise<Packages> {
  const [older, newer, tree] = ["older.deb", "newer.deb", "tree"].map((name) => join(directory, name));
  await fill(tree ?? "");
  // Not compressed: that is most of an installation's time on a machine that does other things too.
  const pack = (to: string | undefined) => Bun.$`dpkg-deb --root-owner-group -Znone --build ${tree} ${to}`.quiet();
  await pack(older);
  const flags = ["--compile", "--minify", "--bytecode", "--define", `SELVEDGE_VERSION="${LATER_VERSION}"`];
  await Bun.$`${process.execPath} build edge/main.ts --outfile ${tree}/usr/bin/selvedge ${flags}`.cwd(ROOT).quiet();
  await Bun.$`sed -i ${`s/^Version: .*/Version: ${LATER_VERSION}/`} ${tree}/DEBIAN/control`.quiet();
  await pack(newer);
  const packages = { older: "/var/older.deb", newer: "/var/newer.deb" };
  // Not by a path: the node has this machine's root file system and nothing that is mounted on it, a /tmp among it.
  for (const [at, from] of [
    [packages.older, older],
    [packages.newer, newer],
  ] as const)
    await node.output(["sh", "-euc", 'cat >"$1"', "sh", at], { input: await Bun.file(from ?? "").bytes() });
  return packages;
}
