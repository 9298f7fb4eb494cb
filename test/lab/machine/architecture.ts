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
    // The oldest that has what Bun needs (SSE4.2, no AVX), and RDRAND, for keys. Newer ones say that they copy bytes
    // quickly (ERMS), so that Linux lets them: qemu copies one by one, and takes half as long again to boot.
    command: ["qemu-system-x86_64", "-machine", "q35", "-cpu", "Nehalem,+rdrand"],
    console: "ttyS0",
    kernelPackage: "linux-image-cloud-amd64",
  },
};
