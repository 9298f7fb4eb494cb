import { formatCharonUnit } from "./charon-unit.ts";
import { formatSettings } from "./settings.ts";
import { formatUnit } from "./unit.ts";

/** Where the parts of an installation are, all absolute. */
export interface Layout {
  readonly binary: string;
  readonly unit: string;
  /** Of the charon that carries tunnels. */
  readonly charonUnit: string;
  readonly config: string;
}

/** By hand, so that no package's files are touched. */
export const LOCAL_LAYOUT: Layout = {
  binary: "/usr/local/bin/selvedge",
  unit: "/etc/systemd/system/selvedge.service",
  charonUnit: "/etc/systemd/system/selvedge-charon.service",
  config: "/etc/selvedge/config.yaml",
};

/** By the distribution's package. */
export const PACKAGE_LAYOUT: Layout = {
  binary: "/usr/bin/selvedge",
  unit: "/usr/lib/systemd/system/selvedge.service",
  charonUnit: "/usr/lib/systemd/system/selvedge-charon.service",
  config: "/etc/selvedge/config.yaml",
};

/** What stands at the places of a layout. */
export interface Installation {
  /** The checksum of a file's bytes, undefined where there is none. */
  readonly binaryDigest: string | undefined;
  readonly unitText: string | undefined;
  readonly charonUnitText: string | undefined;
  readonly configPresent: boolean;
}

/** The executable to install. */
export interface Executable {
  readonly path: string;
  readonly digest: string;
}

export type InstallStep =
  | { readonly kind: "copy"; readonly from: string; readonly path: string; readonly mode: number }
  | { readonly kind: "write"; readonly text: string; readonly path: string; readonly mode: number }
  | { readonly kind: "keep"; readonly path: string; readonly why: string };

/**
 * What makes an installation of what is there: nothing where it stands already. The configuration belongs to whoever
 * runs the node as soon as it exists.
 */
export function planInstall(layout: Layout, executable: Executable, present: Installation): readonly InstallStep[] {
  return [
    present.binaryDigest === executable.digest
      ? { kind: "keep", path: layout.binary, why: "it is this executable" }
      : { kind: "copy", from: executable.path, path: layout.binary, mode: 0o755 },
    unitStep(layout.unit, formatUnit(layout), present.unitText),
    unitStep(layout.charonUnit, formatCharonUnit(layout), present.charonUnitText),
    present.configPresent
      ? { kind: "keep", path: layout.config, why: "it is yours" }
      : { kind: "write", text: formatSettings(), path: layout.config, mode: 0o644 },
  ];
}

function unitStep(path: string, text: string, present: string | undefined): InstallStep {
  if (present === text) return { kind: "keep", path, why: "nothing changed" };
  return { kind: "write", text, path, mode: 0o644 };
}

/** One line for a person. */
export function formatStep(step: InstallStep): string {
  switch (step.kind) {
    case "copy":
      return `install ${step.path}`;
    case "write":
      return `write   ${step.path}`;
    case "keep":
      return `keep    ${step.path}: ${step.why}`;
  }
}
