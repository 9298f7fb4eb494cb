import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { FileSink, Subprocess } from "bun";
import { type Duration, formatDuration, milliseconds, seconds } from "../../../src/base/duration.ts";
import { type Architecture, EMULATIONS } from "./architecture.ts";
import { CpioWriter } from "./cpio.ts";
import { debianImage } from "./debian-image.ts";
import { machineImage } from "./image.ts";

export interface MachineOptions {
  readonly architecture: Architecture;
  /** By their path in the machine: either content, or a file of this machine. All of them can be run. */
  readonly files?: Readonly<Record<string, string | Uint8Array | Bun.BunFile>>;
  readonly memoryMegabytes?: number;
  /** What is there and who is process 1: busybox alone unless told, Debian's programs, or these with its systemd. */
  readonly system?: "busybox" | "debian" | "systemd";
}

export interface MachineResult {
  /** Standard output and error. */
  readonly output: string;
  readonly code: number;
}

const BOOT_TIMEOUT = seconds(300);
const COMMAND_TIMEOUT = seconds(60);
const MEMORY_MEGABYTES = 1024;
const READY = "machine is ready";
/** The serial port is for commands alone. */
const SYSTEMD_OPTIONS = "systemd.show_status=no systemd.log_target=null systemd.getty_auto=no";
/**
 * An emulated processor leaks nothing, and each jump that is made safe costs it a tenth of its time. What it translates it
 * keeps by address: where libraries are at random ones, each start of a program is translated anew, four times as dear.
 */
const EMULATED = "mitigations=off norandmaps";

/** What process 1 does first. */
const MOUNTS = `#!/bin/busybox sh
/bin/busybox mkdir -p /dev /proc /sys /run /tmp /etc /root /var/lib /sbin /usr/bin /usr/sbin
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox ip link set lo up
`;

/** The files that make a process 1 and run commands when it is up. */
function systemFiles(system: NonNullable<MachineOptions["system"]>, port: string): Record<string, string> {
  if (system === "busybox") {
    const install = "/bin/busybox --install -s\nexport PATH=/usr/sbin:/usr/bin:/sbin:/bin\n";
    return { "/init": `${MOUNTS}${install}${commandLoop(port)}` };
  }
  const applets = "/opt/busybox";
  const loop = `mkdir -p ${applets}
/bin/busybox --install -s ${applets}
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:${applets}
${commandLoop(port)}`;
  // Not busybox's shell: to that one its own applets come first.
  const run = "/bin/bash /etc/commands";
  if (system === "debian") return { "/init": `${MOUNTS}exec ${run}\n`, "/etc/commands": loop };
  const unit = `[Unit]
After=multi-user.target
[Service]
ExecStart=${run}
`;
  return {
    "/init": "#!/bin/busybox sh\nexec /lib/systemd/systemd\n",
    "/etc/commands": loop,
    "/etc/systemd/system/commands.service": unit,
    "/etc/systemd/system/default.target": "[Unit]\nWants=commands.service multi-user.target\nAllowIsolate=yes\n",
    "/etc/hostname": "edge1\n",
    // Without one systemd asks whoever installs it questions.
    "/etc/machine-id": `${"5e1ed6e0".repeat(4)}\n`,
  };
}

/** Runs what comes over the serial port, base64 in one line, and says how that ended. */
function commandLoop(port: string): string {
  return `export HOME=/root
exec </dev/${port} >/dev/${port} 2>&1
stty raw -echo
cd /root
echo "${READY}"
while read -r mark command; do
  echo "$command" | base64 -d >/tmp/.command
  sh /tmp/.command </dev/null >/tmp/.output 2>&1
  code=$?
  cat /tmp/.output
  echo "$mark $code"
done
`;
}

/**
 * A whole computer of any architecture, emulated: a Debian kernel with its modules, busybox, a loopback interface and
 * nothing else. It ends with the process that booted it.
 */
export class Machine implements AsyncDisposable {
  /** From the start of the emulator until the first command could run. */
  readonly bootTime: Duration;
  readonly #qemu: Subprocess<"pipe", "pipe", "inherit">;
  readonly #console: SerialConsole;
  #commands = 0;

  static async boot({
    architecture,
    files = {},
    memoryMegabytes = MEMORY_MEGABYTES,
    system = "busybox",
  }: MachineOptions): Promise<Machine> {
    const emulation = EMULATIONS[architecture];
    const image = await machineImage(architecture);
    const initramfs = `${tmpdir()}/selvedge-machine-${crypto.randomUUID()}`;
    const own = systemFiles(system, emulation.console);
    const archives = system === "busybox" ? [] : [await debianImage(architecture)];
    await writeInitramfs(initramfs, [image.initramfs, ...archives], { ...own, ...files });
    try {
      const started = performance.now();
      const qemu = Bun.spawn(
        [
          // The emulator dies with us, however we die.
          ...["setpriv", "--pdeathsig", "KILL"],
          ...emulation.command,
          ...["-m", String(memoryMegabytes), "-nodefaults", "-nic", "none", "-display", "none", "-serial", "stdio"],
          ...["-no-reboot", "-kernel", image.kernel, "-initrd", initramfs],
          ...["-append", `console=${emulation.console} quiet panic=-1 ${EMULATED} ${SYSTEMD_OPTIONS}`],
        ],
        { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
      );
      const console = new SerialConsole(qemu.stdin, qemu.stdout);
      await console.waitFor(`${READY}\n`, "boot", BOOT_TIMEOUT);
      return new Machine(qemu, console, milliseconds(performance.now() - started));
    } finally {
      rmSync(initramfs);
    }
  }

  private constructor(qemu: Subprocess<"pipe", "pipe", "inherit">, console: SerialConsole, bootTime: Duration) {
    this.#qemu = qemu;
    this.#console = console;
    this.bootTime = bootTime;
  }

  /** Runs a shell script to its end. Commands run one after another. */
  async run(script: string, timeout: Duration = COMMAND_TIMEOUT): Promise<MachineResult> {
    const mark = `end-${this.#commands++}-${crypto.randomUUID()}`;
    this.#console.write(`${mark} ${Buffer.from(script).toString("base64")}\n`);
    const output = await this.#console.waitFor(`${mark} `, `run ${script}`, timeout);
    const code = Number(await this.#console.waitFor("\n", "read an exit code", timeout));
    return { output, code };
  }

  /** @throws Error where the script fails */
  async output(script: string, timeout: Duration = COMMAND_TIMEOUT): Promise<string> {
    const { output, code } = await this.run(script, timeout);
    if (code !== 0) throw new Error(`Cannot run "${script}" in the machine as it failed: exit ${code}\n${output}`);
    return output;
  }

  /** Of the emulator. */
  get pid(): number {
    return this.#qemu.pid;
  }

  async close(): Promise<void> {
    this.#qemu.kill("SIGKILL");
    await this.#qemu.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What the machine prints, taken up to one expected text after another. */
class SerialConsole {
  readonly #stdin: FileSink;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #unread = "";

  constructor(stdin: FileSink, stdout: ReadableStream<Uint8Array>) {
    this.#stdin = stdin;
    this.#chunks = stdout[Symbol.asyncIterator]();
  }

  write(text: string): void {
    this.#stdin.write(text);
    this.#stdin.flush();
  }

  /** @returns what came before the text @param purpose completes "Cannot …" */
  async waitFor(text: string, purpose: string, timeout: Duration): Promise<string> {
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(() => late.resolve("late"), timeout);
    try {
      for (;;) {
        const at = this.#unread.indexOf(text);
        if (at >= 0) {
          const before = this.#unread.slice(0, at);
          this.#unread = this.#unread.slice(at + text.length);
          return before;
        }
        const read = await Promise.race([this.#chunks.next(), late.promise]);
        if (read === "late") throw new Error(`Cannot ${purpose} within ${formatDuration(timeout)}\n${this.#unread}`);
        if (read.done) throw new Error(`Cannot ${purpose} as the machine ended\n${this.#unread}`);
        this.#unread += this.#decoder.decode(read.value, { stream: true });
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

async function writeInitramfs(
  path: string,
  archives: readonly string[],
  files: NonNullable<MachineOptions["files"]>,
): Promise<void> {
  const sink = Bun.file(path).writer();
  for (const archive of archives) {
    for await (const chunk of Bun.file(archive).stream()) sink.write(chunk);
    await sink.flush();
  }
  const archive = new CpioWriter(sink);
  for (const [name, content] of Object.entries(files)) {
    archive.file(name.slice(1), await bytesOf(content), 0o755);
  }
  await archive.end();
  await sink.end();
}

async function bytesOf(content: string | Uint8Array | Bun.BunFile): Promise<Uint8Array> {
  if (typeof content === "string") return new TextEncoder().encode(content);
  return content instanceof Uint8Array ? content : await content.bytes();
}
