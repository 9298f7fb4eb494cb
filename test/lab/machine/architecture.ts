/** A processor architecture that a machine can have, by Debian's name for it. */
export type Architecture = "arm64" | "amd64";

export interface Emulation {
  /** qemu's program and the board; the processor is emulated, so that the machine is the same wherever it runs. */
  readonly command: readonly string[];
  /** The kernel's name for the first serial port, which is the machine's only way to the outside. */
  readonly console: string;
  readonly kernelPackage: string;
}

export const EMULATIONS: Readonly<Record<Architecture, Emulation>> = {
  arm64: {
    // The smallest 64-bit processor that edge devices have: ARMv8.0, no instruction newer than that.
    command: ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a53"],
    console: "ttyAMA0",
    kernelPackage: "linux-image-cloud-arm64",
  },
  amd64: {
    command: ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max"],
    console: "ttyS0",
    kernelPackage: "linux-image-cloud-amd64",
  },
};
