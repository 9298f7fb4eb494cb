import { chmodSync, copyFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatCharonUnit } from "../edge/install/charon-unit.ts";
import { PACKAGE_LAYOUT } from "../edge/install/plan.ts";
import { formatSettings } from "../edge/install/settings.ts";
import { formatUnit } from "../edge/install/unit.ts";

const EXECUTABLES: Readonly<Record<string, string>> = {
  amd64: "dist/selvedge-linux-x64",
  arm64: "dist/selvedge-linux-arm64",
};

/** The oldest C library whose symbols the runtime asks for: `readelf -V` of either executable. */
const LIBC = "2.17";

/** A package's files as dpkg-deb takes them: what is installed, and its control files in DEBIAN. */
function makeTree(root: string, version: string, architecture: string): void {
  const executable = EXECUTABLES[architecture];
  if (executable === undefined) throw new Error(`Cannot package for ${architecture}`);
  const place = (path: string, mode: number, put: (target: string) => void) => {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    put(target);
    chmodSync(target, mode);
  };
  const text = (content: string) => (target: string) => writeFileSync(target, content);
  const copy = (from: string) => (target: string) => copyFileSync(from, target);
  const own = (name: string) => join(import.meta.dir, "debian", name);

  place(PACKAGE_LAYOUT.binary, 0o755, copy(executable));
  place(PACKAGE_LAYOUT.unit, 0o644, text(formatUnit(PACKAGE_LAYOUT)));
  place(PACKAGE_LAYOUT.charonUnit, 0o644, text(formatCharonUnit(PACKAGE_LAYOUT)));
  place(PACKAGE_LAYOUT.config, 0o644, text(formatSettings()));
  place("usr/share/doc/selvedge/copyright", 0o644, copy(own("copyright")));
  const installedSize = sizeKib(root);
  place("DEBIAN/conffiles", 0o644, text(`${PACKAGE_LAYOUT.config}\n`));
  for (const script of ["postinst", "prerm", "postrm"]) place(`DEBIAN/${script}`, 0o755, copy(own(script)));
  place("DEBIAN/control", 0o644, text(formatControl(version, architecture, installedSize)));
}

function formatControl(version: string, architecture: string, installedSizeKib: number): string {
  return `Package: selvedge
Version: ${version}
Architecture: ${architecture}
Maintainer: The Selvedge authors <selvedge@localhost>
Installed-Size: ${installedSizeKib}
Depends: libc6 (>= ${LIBC}), init-system-helpers (>= 1.54~)
Recommends: charon-systemd (>= 5.9.8), libcharon-extra-plugins, libstrongswan-standard-plugins
Section: net
Priority: optional
Description: network of Kubernetes edge nodes
 One program that makes Kubernetes service names resolve and service addresses
 reach their endpoints on an edge node, with or without the cloud: no
 kube-proxy, no CoreDNS, no CNI plugins. It works from its cache while the cloud
 is away. With strongSwan, pods of the edge and of the cloud reach each other
 through IPsec.
`;
}

function sizeKib(directory: string): number {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Math.ceil(files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0) / 1024);
}

const [root = "", version = "", architecture = ""] = process.argv.slice(2);
makeTree(root, version, architecture);
