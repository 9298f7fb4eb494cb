import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../../src/base/duration.ts";

const IMAGES = ["selvedge", "selvedge-cloud", "strongswan"] as const;
const SCRIPT = join(import.meta.dir, "../../../scripts/images.ts");
const VERSION = "1.2.3-dev+abc";
const folder = mkdtempSync(join(tmpdir(), "selvedge-images-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** As a shell pipeline. @returns standard output */
function run(script: string, ...words: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["bash", "-euo", "pipefail", "-c", script, "bash", ...words]);
  if (exitCode !== 0) throw new Error(`Cannot run ${script}: exit ${exitCode}: ${stderr}`);
  return stdout.toString().trim();
}

/** Not by sha256sum, which takes five times as long: these are hundreds of megabytes. */
function digestOf(path: string): string {
  return `sha256:${run('openssl dgst -sha256 -r <"$1"', path).split(" ")[0]}`;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: object;
}

/** An image, unpacked, with what its JSON files say. */
class Image {
  readonly folder: string;
  readonly root: string;
  readonly index: { readonly manifests: readonly Descriptor[] };
  readonly platforms: { readonly manifests: readonly Descriptor[] };
  readonly manifest: { readonly config: Descriptor; readonly layers: readonly Descriptor[] };
  /** Its layers as tar archives, in their order. */
  readonly layers: readonly string[];
  readonly config: {
    readonly config: { readonly User: string; readonly Entrypoint: readonly string[] };
    readonly rootfs: { readonly diff_ids: readonly string[] };
  };

  constructor(program: string) {
    this.folder = join(folder, program);
    this.root = `${this.folder}.root`;
    for (const each of [this.folder, this.root]) mkdirSync(each);
    run('tar -xf "$1" -C "$2"', join(folder, `${program}_${VERSION}.oci.tar`), this.folder);
    this.index = JSON.parse(readFileSync(join(this.folder, "index.json"), "utf8"));
    this.platforms = this.#read(this.index.manifests[0]);
    this.manifest = this.#read(this.platforms.manifests[0]);
    this.config = this.#read(this.manifest.config);
    this.layers = this.manifest.layers.map(({ digest }) => `${this.blob(digest).replace("/blobs/sha256/", "/")}.tar`);
    for (const [i, { digest }] of this.manifest.layers.entries()) {
      const unpack = 'gzip -dc "$1" >"$2" && tar -xpf "$2" -C "$3"';
      run(unpack, this.blob(digest), this.layers[i] ?? "", this.root);
    }
  }

  blob(digest: string): string {
    return join(this.folder, "blobs", digest.replace(":", "/"));
  }

  #read<T>(descriptor: Descriptor | undefined): T {
    return JSON.parse(readFileSync(this.blob(descriptor?.digest ?? ""), "utf8"));
  }

  /** As a container: as its user, on a file system that nobody can write to. */
  run(...words: readonly string[]) {
    const { User, Entrypoint } = this.config.config;
    const script = `
      mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount -t proc proc "$1/proc"
      root=$1 user=$2 && shift 2 && exec env -i PATH=/usr/bin /usr/sbin/chroot --userspec="$user" "$root" "$@"`;
    const inside = ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-euc", script, "sh"];
    const { exitCode, stdout, stderr } = Bun.spawnSync([...inside, this.root, User, ...Entrypoint, ...words]);
    return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  }
}

let images: ReadonlyMap<string, Image>;
beforeAll(() => {
  // From the programs that are in dist/.
  run('"$@"', process.execPath, SCRIPT, folder, VERSION, "1", "amd64");
  images = new Map(IMAGES.map((name) => [name, new Image(name)]));
}, seconds(180));

describe.each(IMAGES)("the image of %s", (program) => {
  const image = () => images.get(program) ?? expect.unreachable();

  test("is an OCI layout whose every digest and size is right", () => {
    const { index, platforms, manifest, config } = image();
    expect(index.manifests[0]?.annotations).toEqual({
      "io.containerd.image.name": `selvedge/${program}:1.2.3-dev_abc`,
      "org.opencontainers.image.ref.name": "1.2.3-dev_abc",
    });
    expect(platforms.manifests.map(({ platform }) => platform)).toEqual([{ architecture: "amd64", os: "linux" }]);
    const named = [...index.manifests, ...platforms.manifests, manifest.config, ...manifest.layers];
    for (const { digest, size } of named) {
      const path = image().blob(digest);
      expect(digestOf(path)).toBe(digest);
      expect(Bun.file(path).size).toBe(size);
    }
    expect(readdirSync(join(image().folder, "blobs/sha256"))).toHaveLength(named.length);
    expect(config.rootfs.diff_ids).toEqual(image().layers.map(digestOf));
  });

  test("would be the same if it were made again: no time, owner or order of the day is in it", () => {
    for (const archive of [...image().layers, join(folder, `${program}_${VERSION}.oci.tar`)]) {
      const lines = run('TZ=UTC tar --full-time --numeric-owner -tvf "$1"', archive).split("\n");
      expect(lines.filter((line) => !/^\S+ 0\/0 +\d+ 1970-01-01 00:00:00 /.test(line))).toEqual([]);
      const names = lines.map((line) => line.split(" -> ")[0]?.split(" ").at(-1) ?? "");
      expect(names).toEqual(
        run("printf '%s\\n' \"$@\" | tr / '\\1' | LC_ALL=C sort | tr '\\1' /", ...names).split("\n"),
      );
    }
    // RFC 1952: no name, no time.
    for (const { digest } of image().manifest.layers)
      expect([...readFileSync(image().blob(digest)).subarray(3, 8)]).toEqual([0, 0, 0, 0, 0]);
  });

  // That of strongSwan is started below, in each of its roles.
  if (program !== "strongswan") {
    test("runs with nothing but what is in it, as its user, without writing", () => {
      const { code, stdout, stderr } = image().run("version");
      expect(stderr).toBe("");
      expect(stdout).toMatch(new RegExp(`^${program} \\d`));
      expect(code).toBe(0);
    });
  }

  test("has no shell, and nothing that belongs to anybody else or that others may change", () => {
    const own = program === "strongswan" ? ["usr/sbin/charon-systemd", "usr/sbin/swanctl"] : [`usr/bin/${program}`];
    expect(run('find "$1" -perm /111 -type f -printf "%P\\n" | sort', image().root).split("\n")).toEqual(
      ["lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6", ...own].sort(),
    );
    const foreign =
      'find "$1" \\( -perm /22 -o -not -uid 0 -o -not -gid 0 -o -perm /6000 \\) -not -type l -printf "%P %m\\n"';
    expect(run(foreign, image().root)).toBe("tmp 1777");
  });
});

test.each(["agent", "connector"])(
  "charon of the %s's role starts with what its container gives it, and answers",
  (role) => {
    const { root } = images.get("strongswan") ?? expect.unreachable();
    // What the chart's container has besides the image: memory for the socket, the node's network, two capabilities.
    const script = `
    mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount -t proc proc "$1/proc" && mount -t tmpfs run "$1/run"
    mount --rbind /dev "$1/dev" && mkdir -p "$1/run/selvedge/charon" && ip link set lo up
    socket=$(sed -n 's/.*socket = //p' "$1/etc/selvedge/$2.conf")
    kept=-all,+sys_chroot,+net_admin,+net_bind_service
    root=$1 tries=0 && export STRONGSWAN_CONF=/etc/selvedge/$2.conf
    setpriv --bounding-set="$kept" /usr/sbin/chroot "$root" /usr/sbin/charon-systemd &
    until [ -S "$root/\${socket#unix:///}" ] || [ -S "$root/run/\${socket##*/}" ]; do
      tries=$((tries + 1)) && [ $tries -lt 100 ] && sleep 0.1
    done
    setpriv --bounding-set="$kept" /usr/sbin/chroot "$root" /usr/sbin/swanctl --stats --uri "$socket"
    kill $! && wait $!`;
    const inside = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "bash", "-uc", script, "bash"];
    const { exitCode, stdout, stderr } = Bun.spawnSync([...inside, root, role]);
    const loaded = /loaded plugins: (.*)/.exec(stdout.toString())?.[1]?.split(" ");
    expect(loaded ?? stderr.toString()).toEqual(
      expect.arrayContaining(["openssl", "kernel-netlink", "socket-default", "vici"]),
    );
    expect(loaded).not.toContain("kernel-libipsec");
    expect(exitCode).toBe(0);
  },
);

test("the operator's image is not root's, and the agent's is, which changes its host", () => {
  expect(images.get("selvedge-cloud")?.config.config.User).toBe("65532:65532");
  expect(images.get("selvedge")?.config.config.User).toBe("0:0");
  const options = ["--cluster=paris", "--cni-type=flannel", "--cluster-cidr=10.1.0.0/16"];
  const { code, stderr } =
    images.get("selvedge-cloud")?.run("operator", ...options, "--connector-public-addresses=198.51.100.1") ??
    expect.unreachable();
  // It gets as far as it can without a cluster.
  expect(stderr).toContain("KUBERNETES_SERVICE_HOST");
  expect(code).toBe(78);
});
