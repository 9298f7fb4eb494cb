import { describe, expect, test } from "bun:test";
import type { LoadedConfig } from "../../../../edge/config.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";
import { FAILED, statusReport, WEB } from "../../../support/agent-handlers.ts";
import { cli, GOOD_HOST, UNREACHABLE } from "../../../support/cli-world.ts";
import { DOWN, UP } from "../../../support/tunnel-reports.ts";

const notThere = async () => {
  throw UNREACHABLE;
};

const SETTINGS = "/etc/selvedge/config.yaml";

describe("run", () => {
  test("starts the agent with the settings, and its exit status is the agent's", async () => {
    const started: LoadedConfig[] = [];
    const startAgent = async (loaded: LoadedConfig) => {
      started.push(loaded);
      return 75;
    };
    const io = { readFile: async (path: string) => (path === "/etc/x.yaml" ? "dns-bind-port: 5353" : undefined) };
    const argv = ["run", "--config=/etc/x.yaml", "--enable-proxy", "false"];
    expect(await cli(argv, { commands: { startAgent }, io })).toMatchObject({ exit: 75, out: "", err: "" });
    expect(started[0]?.config).toMatchObject({ enableProxy: false, dnsBindPort: 5353 });
  });

  test("a wrong value is one sentence on stderr and 78; a wrong command line is 2", async () => {
    const started = () => Promise.reject(new Error("started"));
    const wrong = await cli(["run", "--enable-dns=maybe"], { commands: { startAgent: started } });
    expect(wrong.err).toBe('Cannot use --enable-dns as it takes true or false: current value is "maybe".\n');
    expect(wrong.exit).toBe(78);
    expect((await cli(["run", "now"])).exit).toBe(2);
    expect((await cli(["run", "--config=/nowhere.yaml"])).err).toContain("there is no such file");
    expect((await cli(["run", "--config=/nowhere.yaml"])).exit).toBe(78);
  });
});

describe("status", () => {
  test("is 0 when all is well and 3 when something is wrong", async () => {
    expect((await cli(["status"])).exit).toBe(0);
    const wrong = await cli(["status"], { handlers: { status: async () => statusReport([FAILED]) } });
    expect(wrong.out).toContain("DNS_BIND_FAILED");
    expect(wrong.exit).toBe(3);
    const worth = { ...FAILED, severity: "info" } as const;
    expect((await cli(["status"], { handlers: { status: async () => statusReport([worth]) } })).exit).toBe(0);
  });

  test("json and yaml are the versioned document", async () => {
    const json = JSON.parse((await cli(["status", "-o", "json"])).out);
    expect(json).toMatchObject({ apiVersion: "selvedge.io/v1", kind: "Status", ready: true });
    expect(Bun.YAML.parse((await cli(["status", "-o", "yaml"])).out)).toEqual(json);
  });

  test("an agent that is not there is 4, with the way out on stderr", async () => {
    const absent = await cli(["status"], { io: { ask: notThere } });
    expect(absent).toMatchObject({ out: "", err: "Cannot reach the agent\nStart it.\n" });
    expect(absent.exit).toBe(4);
  });

  test("the socket is found by flag, environment, file and default", async () => {
    const file = { readFile: async () => "run-dir: /c" };
    const socket = async (...args: Parameters<typeof cli>) => (await cli(...args)).asked[0];
    expect(await socket(["status", "--run-dir=/a"], { env: { SELVEDGE_RUN_DIR: "/b" } })).toStartWith(
      "/a/selvedge.sock ",
    );
    expect(await socket(["status"], { env: { SELVEDGE_RUN_DIR: "/b" }, io: file })).toStartWith("/b/selvedge.sock ");
    expect(await socket(["status"], { io: file })).toStartWith("/c/selvedge.sock ");
    expect(await socket(["status"])).toStartWith("/run/selvedge/selvedge.sock ");
  });

  test("a broken or unreadable configuration does not hide the agent, unless it was named", async () => {
    const unreadable = () => {
      throw new SelvedgeError("Cannot read", { code: "CONFIG_FORBIDDEN", blame: "user", retry: "never" });
    };
    expect((await cli(["status"], { io: { readFile: async () => "enable-dns: maybe" } })).exit).toBe(0);
    expect((await cli(["status"], { io: { readFile: async () => unreadable() } })).exit).toBe(0);
    expect((await cli(["status", "--config=/a"], { io: { readFile: async () => undefined } })).exit).toBe(78);
  });

  test("colours are for terminals without NO_COLOR", async () => {
    const io = { terminal: { out: true, err: true } };
    expect((await cli(["status"], { io })).out).toContain("\x1b[");
    expect((await cli(["status", "--no-color"], { io })).out).not.toContain("\x1b[");
    expect((await cli(["status"], { io, env: { NO_COLOR: "1" } })).out).not.toContain("\x1b[");
    expect((await cli(["status"], { io, env: { TERM: "dumb" } })).out).not.toContain("\x1b[");
    expect((await cli(["status"])).out).not.toContain("\x1b[");
  });
});

describe("services", () => {
  test("all, those of a namespace, or one", async () => {
    expect((await cli(["services"])).out.split("\n")).toHaveLength(4);
    expect((await cli(["services", "-n", "shop"])).out).not.toContain("web");
    expect((await cli(["services", "-A", "-n", "shop"])).out).toContain("web");
    expect((await cli(["services", "web"])).out).toContain("10.244.1.5:8080");
    expect(JSON.parse((await cli(["services", "web", "-o", "json"])).out).items).toEqual([WEB]);
  });

  test("a service that is not there is 1; a namespace without any is 0", async () => {
    expect(await cli(["services", "web", "-n", "x"])).toMatchObject({
      exit: 1,
      out: "",
      err: 'There is no service "web" in namespace "x".\n',
    });
    expect(await cli(["services", "-n", "x"])).toMatchObject({
      exit: 0,
      err: 'There are no services in namespace "x".\n',
    });
  });
});

describe("tunnels and peers", () => {
  const up = async () => [UP];
  const none = async () => [];

  test.each(["tunnels", "peers"])("%s is 0 when all are up and 3 when one is not", async (command) => {
    expect(await cli([command], { handlers: { tunnels: up } })).toMatchObject({ exit: 0, err: "" });
    const wrong = await cli([command]);
    expect(wrong.exit).toBe(3);
    expect(wrong.out).toContain("giving up after 6 retransmits");
  });

  test("one of them, wide ones, and documents for programs", async () => {
    expect((await cli(["tunnels", "paris.connector"])).out).toContain("IKE #3, ESTABLISHED");
    expect((await cli(["tunnels", "-o", "wide"])).out).toContain("192.168.9.7:4500");
    expect((await cli(["peers", "-o", "wide"])).out).toContain("10.1.8.0/24");
    expect(JSON.parse((await cli(["tunnels", "-o", "json"])).out)).toMatchObject({
      kind: "TunnelList",
      items: [UP, DOWN],
    });
    expect((await cli(["peers", "-o", "yaml"])).out).toContain("path: ipsec");
    expect((await cli(["status", "-o", "wide"])).exit).toBe(2);
  });

  test("no peers are no error, and one that is not there is", async () => {
    const nobody = await cli(["tunnels"], { handlers: { tunnels: none } });
    expect(nobody).toMatchObject({ exit: 0, out: "" });
    expect(nobody.err).toContain("This node has no peers");
    const missing = await cli(["peers", "paris.e9"]);
    expect(missing).toMatchObject({ exit: 1, out: "" });
    expect(missing.err).toContain('There is no peer "paris.e9"');
    expect(JSON.parse((await cli(["tunnels", "-o", "json"], { handlers: { tunnels: none } })).out).items).toEqual([]);
  });
});

describe("dns resolve", () => {
  const record = { name: "web.svc.cluster.local.", type: "A", ttlSeconds: 5, data: "10.96.0.10" };
  const resolve = async (name: string, type: string) => {
    const known = name === "web.svc.cluster.local.";
    const rcode = known ? "NOERROR" : "NXDOMAIN";
    return {
      name,
      type,
      rcode,
      answers: known ? [record] : [],
      from: known ? "cluster" : "none",
      durationSeconds: 0,
    } as const;
  };

  test("goes through the search list until it finds something", async () => {
    const found = await cli(["dns", "resolve", "web", "-n", "shop"], { handlers: { resolve } });
    expect(found.out).toContain("10.96.0.10");
    expect(found.exit).toBe(0);
    expect(
      found.asked.slice(1).map((line) => new URL(line.split(" ")[1] ?? "", "http://a").searchParams.get("name")),
    ).toEqual(["web.shop.svc.cluster.local.", "web.svc.cluster.local."]);
  });

  test("is 1 when there is nothing", async () => {
    const nothing = await cli(["dns", "resolve", "nothing.", "--type=AAAA"], { handlers: { resolve } });
    expect(nothing.out).toStartWith("nothing. AAAA: NXDOMAIN");
    expect(nothing.exit).toBe(1);
  });
});

describe("check", () => {
  test("is 0 on a good host with a good agent", async () => {
    const good = await cli(["check"]);
    expect(good.exit).toBe(0);
    expect(good.out).toContain("OK        agent     the agent runs: 0.1.0 on edge-1, pid 42\n");
  });

  test("without the agent looks at the host all the same, and is 3", async () => {
    const absent = await cli(["check"], { io: { ask: notThere } });
    expect(absent.out).toContain("AGENT_UNREACHABLE");
    expect(absent.out).toContain("has nftables");
    expect(absent.exit).toBe(3);
    expect((await cli(["check", "--pre"], { io: { ask: notThere } })).exit).toBe(0);
  });

  test("what the agent says counts before what the host looks like", async () => {
    const source = { url: "http://127.0.0.1:10550", refusal: "ECONNREFUSED" };
    const known = {
      ...FAILED,
      code: "SOURCE_UNREACHABLE",
      component: "source",
      severity: "info",
      message: "known",
    } as const;
    const io = { observeHost: async () => ({ ...GOOD_HOST, source }) };
    const alone = await cli(["check", "-o", "json"], { io: { ...io, ask: notThere } });
    expect(alone.out).toContain("ECONNREFUSED");
    expect(JSON.parse(alone.out)).toMatchObject({ apiVersion: "selvedge.io/v1", kind: "CheckReport", healthy: false });
    const both = await cli(["check"], { io, handlers: { status: async () => statusReport([known]) } });
    expect(both.out).toContain("known");
    expect(both.out).not.toContain("ECONNREFUSED");
    expect(both.exit).toBe(0);
  });

  test("a configuration that cannot be used is one of its findings", async () => {
    const broken = await cli(["check"], { io: { readFile: async () => "enable-dns: maybe" } });
    expect(broken.out).toContain("CONFIG_INVALID");
    expect(broken.exit).toBe(3);
  });
});

describe("cleanup", () => {
  function leftovers() {
    const removed: string[] = [];
    const leftover = (what: string, fail = false) => ({
      what,
      remove: async () => {
        if (fail) throw new Error("EBUSY");
        removed.push(what);
      },
    });
    return {
      removed,
      findLeftovers: async () => [leftover("table a"), leftover("link b", true), leftover("address c")],
    };
  }

  test("a dry run removes nothing, also beside a running agent", async () => {
    const { removed, findLeftovers } = leftovers();
    const dry = await cli(["cleanup", "--dry-run"], { commands: { findLeftovers } });
    expect(dry.out).toBe("would remove table a\nwould remove link b\nwould remove address c\n");
    expect(dry.exit).toBe(0);
    expect(removed).toEqual([]);
  });

  test("it refuses while the agent runs", async () => {
    const { removed, findLeftovers } = leftovers();
    const refused = await cli(["cleanup"], { commands: { findLeftovers } });
    expect(refused.err).toContain("Cannot clean up while the agent runs");
    expect(refused.exit).toBe(1);
    expect(removed).toEqual([]);
  });

  test("what cannot be removed does not keep the rest", async () => {
    const { removed, findLeftovers } = leftovers();
    const done = await cli(["cleanup"], { commands: { findLeftovers }, io: { ask: notThere } });
    expect(done.out).toBe("removed table a\nleft link b\nremoved address c\n");
    expect(done.err).toBe("Cannot remove link b: EBUSY\n");
    expect(done.exit).toBe(1);
    expect(removed).toEqual(["table a", "address c"]);
  });

  test("what is needed stays, and says by whom", async () => {
    const kept = { what: "link c", remove: undefined, neededBy: "2 pods hang on it" };
    const findLeftovers = async () => [kept];
    const world = { commands: { findLeftovers }, io: { ask: notThere } };
    expect(await cli(["cleanup", "--dry-run"], world)).toMatchObject({ out: "would keep link c: 2 pods hang on it\n" });
    expect(await cli(["cleanup"], world)).toMatchObject({ exit: 0, err: "", out: "kept link c: 2 pods hang on it\n" });
    const [item] = JSON.parse((await cli(["cleanup", "-o", "json"], world)).out).items;
    expect(item).toEqual({ what: "link c", removed: false, error: null, neededBy: "2 pods hang on it" });
  });

  test("nothing to remove is said", async () => {
    expect(await cli(["cleanup"], { io: { ask: notThere } })).toMatchObject({
      exit: 0,
      out: "",
      err: "There is nothing of the agent's here.\n",
    });
  });
});

describe("config view", () => {
  const world = {
    env: { SELVEDGE_ENABLE_DNS: "false" },
    io: { readFile: async (path: string) => (path === SETTINGS ? "enable-dns: true\nnode-name: board" : undefined) },
  };

  test("shows which place won, and on demand what it beat", async () => {
    const view = await cli(["config", "view", "--dns-bind-port=5353"], world);
    expect(view.out).toMatch(/^SETTING +VALUE +FROM\n/);
    expect(view.out).toMatch(/\nnode-name +board +file\n/);
    expect(view.out).toMatch(/\nenable-dns +false +environment\n/);
    expect(view.out).toMatch(/\ndns-bind-port +5353 +flag\n/);
    expect(view.out).toMatch(/\nenable-proxy +true +default\n/);
    const origin = await cli(["config", "view", "--origin"], world);
    expect(origin.out).toMatch(
      /\nenable-dns +false +SELVEDGE_ENABLE_DNS +\/etc\/selvedge\/config.yaml=true default=true\n/,
    );
  });

  test("shows what the cloud says, which a node starts without where it cannot be used or read", async () => {
    const place = "/srv/selvedge/cloud-settings.yaml";
    const [from, settings] = [
      "config.yaml of ConfigMap fabedge/fabedge-agent-config-board",
      "state-dir: /srv/selvedge",
    ];
    const view = async (cloud: () => string, ...more: readonly string[]) => {
      const texts: ReadonlyMap<string, () => string> = new Map([
        [SETTINGS, () => `node-name: board\n${settings}\n`] as const,
        [place, cloud] as const,
      ]);
      return await cli(["config", "view", "--origin", ...more], {
        io: { readFile: async (path) => texts.get(path)?.() },
      });
    };
    const shown = await view(() => 'log-level: "debug"\nstate-dir: "/tmp"\n');
    expect(shown.out).toMatch(new RegExp(`\nlog-level +debug +${from} +default=info\n`));
    expect(shown.out).toMatch(/\nstate-dir +\/srv\/selvedge +/);
    expect(shown.err).toBe(`Ignored "state-dir" of ${from}: only the node itself decides it.\n`);
    const broken = await view(() => "log-level: loud\n");
    expect([broken.exit, broken.err]).toEqual([0, expect.stringContaining(`Ignored ${from}: Cannot use "log-level"`)]);
    const unreadable = await view(() => {
      throw new Error("EACCES");
    });
    expect([unreadable.exit, unreadable.err]).toEqual([0, `Ignored ${from}: EACCES.\n`]);
    const mounted = await view(() => "log-level: debug\n", "--tunnels-conf=/etc/fabedge/tunnels.yaml");
    expect(mounted.out).toMatch(/\nlog-level +info +default\n/);
  });

  test("for programs has values of their own kind", async () => {
    const { settings } = JSON.parse((await cli(["config", "view", "-o", "json"], world)).out);
    const value = (name: string) => settings.find((setting: { name: string }) => setting.name === name).value;
    expect([value("enable-dns"), value("dns-bind-port"), value("dns-bind-ip"), value("token-file")]).toEqual([
      false,
      53,
      ["169.254.25.10"],
      null,
    ]);
  });

  test("says warnings on stderr, and problems with 78", async () => {
    expect((await cli(["config", "view", "--use-xfrm"])).err).toBe(
      "Ignored --use-xfrm: FabEdge itself has removed it.\n",
    );
    expect((await cli(["config", "view", "--log-level=loud"])).exit).toBe(78);
  });
});

describe("join", () => {
  const HASH = `sha256:${"AB".repeat(32)}`;
  const WORDS = ["join", "https://192.0.2.1:30303/", "--token", "edge-1.secret", "--ca-cert-hash", HASH];

  test("hands on what it was told, and says who this is", async () => {
    const asked: unknown[] = [];
    const commands = {
      join: async (request: unknown) => {
        asked.push(request);
        return "edge-1";
      },
    };
    expect(await cli(WORDS, { commands })).toMatchObject({ exit: 0, out: expect.stringContaining("node edge-1") });
    const authorityHash = "ab".repeat(32);
    const request = { url: "https://192.0.2.1:30303", token: "edge-1.secret", authorityHash };
    expect(asked).toEqual([{ ...request, folder: "/etc/selvedge/tls" }]);
    // Where the agent looks for it, as it is configured.
    await cli(WORDS, { commands, io: { readFile: async () => "tls-dir: /data/tls" } });
    await cli([...WORDS, "--tls-dir=/mnt/tls"], { commands });
    expect(asked.slice(1)).toEqual([
      { ...request, folder: "/data/tls" },
      { ...request, folder: "/mnt/tls" },
    ]);
  });

  test.each([
    ["no address", ["join", "192.0.2.1"]],
    ["an address in clear", ["join", "http://192.0.2.1"]],
    ["no token", WORDS.toSpliced(2, 2)],
    ["no hash", WORDS.slice(0, 4)],
    ["a hash of another kind", [...WORDS.slice(0, 5), "md5:abcd"]],
  ])("with %s is 2 and says where the line comes from", async (_, words) => {
    const { exit, err } = await cli(words);
    expect(exit).toBe(2);
    expect(err).toContain("selvedge-cloud token create");
  });
});

describe("the rest", () => {
  test("version", async () => {
    expect((await cli(["version"])).out).toBe("selvedge 0.1.0 (bun 1.4.5 linux arm64)\n");
    expect((await cli(["--version"])).out).toBe("selvedge 0.1.0 (bun 1.4.5 linux arm64)\n");
    expect(JSON.parse((await cli(["version", "-o", "json"])).out)).toMatchObject({ kind: "Version", version: "0.1.0" });
  });

  test.each([
    ["EACCES", 5],
    ["EPERM", 5],
    ["ENOSPC", 1],
  ])("what fails since the kernel says %s exits with %d, whatever it was about", async (code, exit) => {
    const install = () => {
      const cause = Object.assign(new Error(code), { code });
      throw new SelvedgeError("Cannot install", { code: "INSTALL_FAILED", blame: "host", retry: "never", cause });
    };
    expect((await cli(["install"], { commands: { install } })).exit).toBe(exit);
  });

  test("install passes its lines on", async () => {
    const install = async (dryRun: boolean) => [dryRun ? "would" : "did"];
    expect((await cli(["install", "--dry-run"], { commands: { install } })).out).toBe("would\n");
    expect((await cli(["install"], { commands: { install } })).out).toBe("did\n");
  });

  test("a wrong command line is 2 and points to help; help is 0 and data", async () => {
    expect(await cli(["stauts"])).toMatchObject({ exit: 2, out: "" });
    expect((await cli(["stauts"])).err).toEndWith('See "selvedge --help".\n');
    expect((await cli([])).out).toContain("Usage: selvedge COMMAND");
    expect((await cli(["run", "--help"])).out).toContain("--node-name");
    expect((await cli(["--help"])).exit).toBe(0);
  });

  test("an error that nobody foresaw is 1 with its causes", async () => {
    const broken = async () => {
      throw new Error("outer", { cause: new Error("inner") });
    };
    expect(await cli(["install"], { commands: { install: broken } })).toMatchObject({
      exit: 1,
      err: "outer (inner)\n",
    });
  });
});
