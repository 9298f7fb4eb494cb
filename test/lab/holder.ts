import { readFileSync } from "node:fs";
import { Namespace } from "./namespace.ts";

/**
 * Process 1 of a lab. It waits for the end of its standard input, which comes when whoever made the lab closes it or
 * dies, however that happens. The kernel then ends every process of the lab, and the namespaces go with them.
 */
const HOLDER = `
read -r pid _ </proc/self/stat
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir /run/netns
for scope in all default; do
  echo 1 >/proc/sys/net/ipv6/conf/$scope/disable_ipv6
  echo 0 >/proc/sys/net/ipv4/conf/$scope/forwarding
done
trap '' CHLD
echo "$pid"
exec cat >/dev/null
`;

/**
 * What a host has for itself: its interfaces and name, /run, and copies on write of /etc, /opt and /var. A sleeping process
 * keeps its namespaces; a mount namespace bound to a file would do, but Linux 6.18 sometimes refuses to bind one made on another
 * processor (it compares namespace ids that are handed out in batches for each processor).
 */
const NEW_HOST = `
echo "$1" >/proc/sys/kernel/hostname
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
for directory in etc opt var; do
  mkdir /run/$directory /run/$directory/upper /run/$directory/work
  mount -t overlay overlay -o lowerdir=/$directory,upperdir=/run/$directory/upper,workdir=/run/$directory/work /$directory
done
mount -t tmpfs tmpfs /run
rm -f /etc/resolv.conf
: >/etc/resolv.conf
printf '127.0.0.1 localhost\\n::1 localhost\\n127.0.1.1 %s\\n' "$1" >/etc/hosts
for scope in all default; do
  echo 0 >/proc/sys/net/ipv6/conf/$scope/accept_dad
  echo 0 >/proc/sys/net/ipv4/conf/$scope/rp_filter
  echo "$2" >/proc/sys/net/ipv6/conf/$scope/forwarding
  echo "$2" >/proc/sys/net/ipv4/conf/$scope/forwarding
done
ip link set lo up
sleep infinity </dev/null >/dev/null 2>&1 &
echo $!
`;

/** The parent namespace of a lab: the only links in it are switches and the cables of hosts. */
export class Holder {
  readonly pid: number;
  readonly namespace: Namespace;
  readonly #close: () => Promise<void>;

  static async start(): Promise<Holder> {
    const argv = [...["unshare", "-n", "-m", "-u", "-i", "-p", "--fork", "--kill-child"], "sh", "-euc", HOLDER];
    const unshare = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    unshare.unref();
    const close = async () => {
      await unshare.stdin.end();
      await unshare.exited;
    };
    const reader = unshare.stdout.getReader();
    const { value } = await reader.read();
    if (value === undefined) throw new Error(`Cannot make a lab: ${await unshare.stderr.text()}`);
    return new Holder(Number(new TextDecoder().decode(value)), close);
  }

  private constructor(pid: number, close: () => Promise<void>) {
    this.pid = pid;
    this.#close = close;
    this.namespace = new Namespace("the lab", enterNamespacesOf(pid));
  }

  /**
   * @param forwarding whether packets go from one of its links to another
   * @returns the words that put a program into the new host
   */
  async newHost(name: string, forwarding: boolean): Promise<readonly string[]> {
    // `ip` finds a network namespace by its file: it is `netns edge1` in a command, and in an error.
    await this.namespace.output(["touch", `/run/netns/${name}`]);
    const unshare = ["unshare", `--net=/run/netns/${name}`, "--mount", "--uts"];
    const script = ["sh", "-euc", NEW_HOST, "sh", name, forwarding ? "1" : "0"];
    const keeper = (await this.namespace.output([...unshare, ...script])).trim();
    return enterNamespacesOf(this.#outerPid(keeper));
  }

  /** The keepers' parents are gone, so they are the holder's children. @param pid as the lab numbers its processes */
  #outerPid(pid: string): number {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, "latin1").trim().split(" ");
    const outer = children.find((child) => pidInLab(child) === pid);
    if (outer === undefined) throw new Error(`Cannot find process ${pid} of the lab among ${children.join(", ")}`);
    return Number(outer);
  }

  /** On return no process of the lab runs. */
  async close(): Promise<void> {
    await this.#close();
  }
}

function pidInLab(pid: string): string | undefined {
  try {
    return /^NSpid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  } catch {
    return undefined; // it has ended
  }
}

function enterNamespacesOf(pid: number): readonly string[] {
  return ["nsenter", "-t", String(pid), "-n", "-m", "-u", "-i", "-p", "--"];
}
