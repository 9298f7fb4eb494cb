import { expect, test } from "bun:test";
import { machineImage } from "../lab/machine/image.ts";

const FETCH_TIMEOUT = 300_000;
const DIST = `${import.meta.dir}/../../dist`;

/** An instruction newer than ARMv8.0 is an illegal one to this processor, and ends the program with SIGILL. */
async function runOnCortexA53(program: string, ...argv: string[]): Promise<{ stdout: string; code: number }> {
  const { root } = await machineImage("arm64");
  const command = ["qemu-aarch64-static", "-cpu", "cortex-a53", "-L", root, program, ...argv];
  const process = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  return { stdout: await process.stdout.text(), code: await process.exited };
}

test.each(["selvedge-linux-arm64", "selvedge-cloud-linux-arm64"])(
  "%s runs on a Cortex-A53",
  async (program) => {
    const { stdout, code } = await runOnCortexA53(`${DIST}/${program}`, "version");
    expect({ stdout, code }).toEqual({ stdout: expect.stringMatching(/^\S.*\d+\.\d+\.\d+/), code: 0 });
  },
  FETCH_TIMEOUT,
);
