import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { Machine } from "../lab/machine/machine.ts";
import { waitFor } from "../lab/wait-for.ts";

const FETCH_AND_BOOT_TIMEOUT = 300_000;

describe("an emulated arm64 machine", () => {
  let machine: Machine;

  beforeAll(async () => {
    const files = {
      "/etc/greeting": "näh\n",
      "/usr/bin/greet": "#!/bin/sh\ncat /etc/greeting\necho late >&2\nexit 3\n",
    };
    machine = await Machine.boot({ architecture: "arm64", files });
  }, FETCH_AND_BOOT_TIMEOUT);
  afterAll(() => machine.close());

  test("is a Cortex-A53, which has no instruction newer than ARMv8.0", async () => {
    expect(await machine.output("uname -m")).toBe("aarch64\n");
    const cpu = await machine.output("cat /proc/cpuinfo");
    expect(cpu).toMatch(/^CPU part\s*: 0xd03$/m);
    expect(cpu).not.toMatch(/^Features.*\batomics\b/m);
  });

  test("loads the modules of nftables and their dependencies", async () => {
    expect(await machine.output("modprobe nft_numgen && cut -d' ' -f1 /proc/modules")).toContain("nf_tables\n");
  });

  test.each(["dummy", "veth", "bridge"])("makes a link of type %s, loading its module by itself", async (kind) => {
    expect(await machine.run(`ip link add test type ${kind} && ip link del test`)).toEqual({ output: "", code: 0 });
  });

  test("has no network card", async () => {
    expect(await machine.output("ls -d /sys/class/net/*/device 2>/dev/null || true")).toBe("");
    expect(await machine.output("cat /sys/class/net/lo/operstate")).toBe("unknown\n");
  });

  test("runs programs that it was given and returns what they print and how they end", async () => {
    expect(await machine.run("greet")).toEqual({ output: "näh\nlate\n", code: 3 });
  });
});

test(
  "a machine ends when its maker is killed with SIGKILL",
  async () => {
    const script = `
    import { Machine } from "${import.meta.dir}/../lab/machine/machine.ts";
    const machine = await Machine.boot({ architecture: "arm64" });
    console.log(machine.pid);
    await machine.run("sleep 600");`;
    const maker = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
    const { value } = await maker.stdout.getReader().read();
    const emulator = `/proc/${new TextDecoder().decode(value).trim()}/exe`;
    expect(existsSync(emulator)).toBeTrue();
    maker.kill("SIGKILL");
    await waitFor("the end of the emulator", () => !existsSync(emulator));
  },
  FETCH_AND_BOOT_TIMEOUT,
);
