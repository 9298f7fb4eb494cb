import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";

/** NETLINK_NETFILTER of linux/netlink.h. */
const NETFILTER = "12";

/** Makes system calls of a running program fail, those on its sockets to nftables and conntrack alone, with strace. */
export class FailingCalls implements AsyncDisposable {
  readonly #strace: Bun.Subprocess<"ignore", "ignore", "pipe">;
  #output = "";

  /** @param rule as strace(1) has it: `sendto:error=ENOBUFS:when=2` */
  static async attach(program: LabProcess, rule: string): Promise<FailingCalls> {
    const sockets = netfilterSockets(program.pid).flatMap((path) => ["-P", path]);
    const call = rule.slice(0, rule.indexOf(":"));
    const argv = ["strace", "-f", "-p", String(program.pid), ...sockets, "-e", `trace=${call}`, "-e", `inject=${rule}`];
    const failing = new FailingCalls(Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe" }));
    await waitFor("strace attached", () => failing.#output.includes(" attached"));
    return failing;
  }

  private constructor(strace: Bun.Subprocess<"ignore", "ignore", "pipe">) {
    this.#strace = strace;
    void this.#collect();
  }

  /** Of the calls that failed. */
  get count(): number {
    return this.#output.split("(INJECTED)").length - 1;
  }

  async detach(): Promise<void> {
    this.#strace.kill("SIGINT");
    await this.#strace.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.detach();
  }

  async #collect(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#strace.stderr) this.#output += decoder.decode(chunk, { stream: true });
  }
}

/** As /proc/PID/fd shows them: "socket:[12345]". */
function netfilterSockets(pid: number): readonly string[] {
  const lines = readFileSync(`/proc/${pid}/net/netlink`, "latin1").trim().split("\n");
  const rows = lines.map((line) => line.trim().split(/\s+/));
  const inodes = new Set(rows.filter(([, protocol]) => protocol === NETFILTER).map((row) => row.at(-1)));
  const paths = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return []; // closed meanwhile
    }
  });
  return paths.filter((path) => inodes.has(/^socket:\[(\d+)\]$/.exec(path)?.[1]));
}
