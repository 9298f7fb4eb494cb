import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FABEDGE_ARGUMENTS } from "../../../edge/config/fabedge-arguments.ts";
import { type ConfigSources, configFilePath, type LoadedConfig, loadConfig } from "../../../edge/config.ts";

const HOST = { hostname: "Edge-1" };
const CLOUD = "config.yaml of ConfigMap fabedge/fabedge-agent-config-edge-1";

function sources(
  part: Partial<Omit<ConfigSources, "file" | "cloud">> & { readonly file?: string; readonly cloud?: string },
): ConfigSources {
  const file = part.file === undefined ? undefined : { path: "/etc/selvedge/config.yaml", text: part.file };
  const cloud = part.cloud === undefined ? undefined : { path: CLOUD, text: part.cloud };
  return { argv: part.argv ?? [], env: part.env ?? {}, file, cloud, host: part.host ?? HOST };
}

function load(part: Parameters<typeof sources>[0]): LoadedConfig {
  const loaded = loadConfig(sources(part));
  if (!loaded.ok) throw new Error(loaded.error.map((problem) => problem.message).join("\n"));
  return loaded.value;
}

function problems(part: Parameters<typeof sources>[0]): readonly string[] {
  const loaded = loadConfig(sources(part));
  return loaded.ok ? [] : loaded.error.map((problem) => problem.message);
}

describe("defaults", () => {
  test("a node needs no setting at all", () => {
    const { config, warnings } = load({});
    expect(warnings).toEqual([]);
    expect({ ...config }).toMatchObject({
      nodeName: "edge-1",
      source: "metaserver",
      sourceUrl: "http://127.0.0.1:10550",
      enableProxy: true,
      enableDns: true,
      proxyMode: "auto",
      dnsBindIp: ["169.254.25.10"],
      dnsBindPort: 53,
      dnsClusterDomain: "cluster.local",
      dummyInterfaceName: "fabedge-dummy0",
      httpBind: { address: "127.0.0.1", port: 10560 },
      stateDir: "/var/lib/selvedge",
    } as never);
  });

  test("each source has its usual address", () => {
    const url = (...argv: readonly string[]) => load({ argv }).config.sourceUrl;
    expect(url("--source=yurthub")).toBe("http://127.0.0.1:10261");
    expect(url("--source=lite-apiserver")).toBe("https://127.0.0.1:51003");
    expect(url("--source=api-server", "--kubeconfig=/root/.kube/config")).toBeUndefined();
    expect(url("--source=metaserver", "--kubeconfig=/root/.kube/config")).toBeUndefined();
    expect(url("--source=api-server", "--source-url=https://10.0.0.1:6443")).toBe("https://10.0.0.1:6443");
    expect(url("--source=hub", "--meta-server=http://10.0.0.1:8080/")).toBe("http://10.0.0.1:8080");
    expect(url("--source=metaserver", "--meta-server", "http://10.0.0.1:8080")).toBe("http://10.0.0.1:8080");
  });

  test("a host name that cannot be a node's name asks for --node-name", () => {
    expect(problems({ host: { hostname: "my_board" } })).toEqual([
      'Cannot take the host name as --node-name: current value is "my_board".',
    ]);
    expect(problems({ host: { hostname: "my_board" }, argv: ["--node-name=board"] })).toEqual([]);
  });
});

describe("precedence", () => {
  test("flag beats environment beats file beats cloud beats default, and what was beaten is kept", () => {
    const { config, origins } = load({
      argv: ["--dns-cluster-domain=flag.local"],
      env: { SELVEDGE_DNS_CLUSTER_DOMAIN: "env.local" },
      file: "dns-cluster-domain: file.local\n",
      cloud: 'dns-cluster-domain: "cloud.local"\n',
    });
    expect(config.dnsClusterDomain).toBe("flag.local");
    expect(origins.dnsClusterDomain.map((o) => [o.kind, o.at, o.text])).toEqual([
      ["flag", "--dns-cluster-domain", "flag.local"],
      ["environment", "SELVEDGE_DNS_CLUSTER_DOMAIN", "env.local"],
      ["file", "/etc/selvedge/config.yaml", "file.local"],
      ["cloud", CLOUD, "cloud.local"],
      ["default", "default", "cluster.local"],
    ]);
  });

  test("for any set of places that name a value, the first place wins", () => {
    const place = fc.option(fc.stringMatching(/^[a-z]{1,8}$/), { nil: undefined });
    fc.assert(
      fc.property(place, place, place, place, (flag, environment, file, cloud) => {
        const { config, origins } = load({
          argv: flag === undefined ? [] : ["--dns-cluster-domain", flag],
          env: { SELVEDGE_DNS_CLUSTER_DOMAIN: environment },
          file: file === undefined ? "" : `dns-cluster-domain: "${file}"`,
          cloud: cloud === undefined ? "" : `dns-cluster-domain: "${cloud}"`,
        });
        const offered = [flag, environment, file, cloud, "cluster.local"].filter((value) => value !== undefined);
        expect(config.dnsClusterDomain).toBe(offered[0] ?? "");
        expect(origins.dnsClusterDomain.map((origin) => origin.text)).toEqual(offered);
      }),
    );
  });

  test("the cloud decides neither whom the agent believes nor where it keeps things", () => {
    const local = [
      ...[
        "node-name",
        "source",
        "source-url",
        "meta-server",
        "kubeconfig",
        "token-file",
        "ca-file",
        "client-cert-file",
      ],
      ...["client-key-file", "insecure-skip-tls-verify", "namespace", "tls-dir", "tunnels-conf", "local-cert"],
      ...["vici-socket", "cni-conf-path", "cni-bin-path", "state-dir", "run-dir", "http-bind", "config"],
    ];
    const { config, warnings } = load({ cloud: local.map((name) => `${name}: "true"\n`).join("") });
    expect(config).toEqual(load({}).config);
    expect(warnings).toEqual(local.map((name) => `Ignored "${name}" of ${CLOUD}: only the node itself decides it.`));
  });

  test("an empty environment variable is an unset one", () => {
    expect(load({ env: { SELVEDGE_NODE_NAME: "" } }).config.nodeName).toBe("edge-1");
  });

  test("the file's path comes from flag, then environment, then the default, which need not exist", () => {
    expect(configFilePath(["--config", "/a"], { SELVEDGE_CONFIG: "/b" })).toEqual({ path: "/a", required: true });
    expect(configFilePath([], { SELVEDGE_CONFIG: "/b" })).toEqual({ path: "/b", required: true });
    expect(configFilePath([], {})).toEqual({ path: "/etc/selvedge/config.yaml", required: false });
  });
});

describe("forms", () => {
  test("a switch is written alone, with a value, or followed by one", () => {
    const proxy = (...argv: readonly string[]) => load({ argv }).config.enableProxy;
    expect(proxy("--enable-proxy")).toBe(true);
    expect(proxy("--enable-proxy=false")).toBe(false);
    expect(proxy("--enable-proxy=F")).toBe(false);
    expect(proxy("--enable-proxy", "false")).toBe(false);
    expect(proxy("--enable-proxy", "--enable-dns=false")).toBe(true);
    expect(load({ env: { SELVEDGE_ENABLE_PROXY: "0" } }).config.enableProxy).toBe(false);
    expect(load({ file: "enable-proxy: false" }).config.enableProxy).toBe(false);
  });

  test("a list is commas, repeated flags, or a sequence", () => {
    const want = ["10.0.0.1", "2001:db8::1"];
    expect(load({ argv: ["--dns-bind-ip=10.0.0.1,2001:DB8::1"] }).config.dnsBindIp as readonly string[]).toEqual(want);
    expect(
      load({ argv: ["--dns-bind-ip=10.0.0.1", "--dns-bind-ip", "2001:db8::1"] }).config.dnsBindIp as readonly string[],
    ).toEqual(want);
    expect(
      load({ file: "dns-bind-ip:\n  - 10.0.0.1\n  - 2001:db8::1\n" }).config.dnsBindIp as readonly string[],
    ).toEqual(want);
    expect(load({ argv: ["--proxy-cluster-cidr="] }).config.proxyClusterCidr).toEqual([]);
  });

  test("of a setting that is no list the last flag counts", () => {
    expect(load({ argv: ["--node-name=a", "--node-name=b"] }).config.nodeName).toBe("b");
  });

  test("an upstream may leave its port out", () => {
    const { dnsUpstream } = load({
      argv: ["--dns-upstream=10.0.0.1,10.0.0.2:5353,2001:db8::1,[2001:db8::2]:5353"],
    }).config;
    expect(dnsUpstream.map((u) => `${u.address} ${u.port}`)).toEqual([
      "10.0.0.1 53",
      "10.0.0.2 5353",
      "2001:db8::1 53",
      "2001:db8::2 5353",
    ]);
  });
});

test("the API server needs no address in a pod, which has one in its environment", () => {
  const env = { KUBERNETES_SERVICE_HOST: "10.96.0.1" };
  expect(load({ argv: ["--source=api-server"], env }).config.sourceUrl).toBeUndefined();
});

describe("a wrong value is one clear sentence", () => {
  const cases: readonly (readonly [Parameters<typeof sources>[0], string])[] = [
    [{ argv: ["--enable-dns=maybe"] }, 'Cannot use --enable-dns as it takes true or false: current value is "maybe".'],
    [
      { env: { SELVEDGE_PROXY_CLUSTER_CIDR: "10.0.0.0/8,10.0.0.1" } },
      'Cannot use SELVEDGE_PROXY_CLUSTER_CIDR as it takes a network such as "10.96.0.0/12", or several separated by commas: current value is "10.0.0.0/8,10.0.0.1".',
    ],
    [
      { file: "dns-bind-port: 70000" },
      'Cannot use "dns-bind-port" of /etc/selvedge/config.yaml as it takes a number from 0 to 65535: current value is "70000".',
    ],
    [
      { file: "node-name: 010" },
      'Cannot use "node-name" of /etc/selvedge/config.yaml as it is neither a text in quotes nor a plain value of its kind.',
    ],
    [
      { file: "- a" },
      "Cannot read /etc/selvedge/config.yaml as settings: it has to be a mapping from names to values.",
    ],
    [{ argv: ["--state-dir=cache"] }, 'Cannot use --state-dir as it takes an absolute path: current value is "cache".'],
    [
      { argv: ["--source=api-server"] },
      "Cannot use --source=api-server without --source-url or --kubeconfig: both are unset.",
    ],
    [
      { argv: ["--source=hub"], env: { KUBERNETES_SERVICE_HOST: "10.96.0.1" } },
      "Cannot use --source=hub without --source-url or --kubeconfig: both are unset.",
    ],
    [{ argv: ["--node-name"] }, "Cannot use --node-name as a value has to follow it: NAME."],
    [{ argv: ["now"] }, 'Cannot take an argument that is no setting: current value is "now".'],
    [
      { argv: ["--client-cert-file=/a.pem"] },
      "Cannot use a client certificate without its other half: --client-key-file is unset.",
    ],
    [
      { argv: ["--source-url=http://me:secret@10.0.0.1"] },
      'Cannot use --source-url as it takes a URL without user and password (use --token-file): current value is "http://***@10.0.0.1".',
    ],
  ];
  for (const [part, sentence] of cases) {
    test(sentence, () => expect(problems(part)).toEqual([sentence]));
  }

  test("all wrong values are reported together", () => {
    expect(problems({ argv: ["--enable-dns=x", "--log-level=loud"], file: "dns-bind-port: -1" })).toHaveLength(3);
  });

  test("a file that is not YAML is named", () => {
    expect(problems({ file: "a: [1" })[0]).toStartWith("Cannot read /etc/selvedge/config.yaml as YAML: ");
  });

  test("a command line that is none is told apart from a wrong value", () => {
    const kinds = (argv: readonly string[]) => {
      const loaded = loadConfig(sources({ argv }));
      return loaded.ok ? [] : loaded.error.map((problem) => problem.kind);
    };
    expect(kinds(["now"])).toEqual(["usage"]);
    expect(kinds(["--node-name"])).toEqual(["usage"]);
    expect(kinds(["--node-name=-"])).toEqual(["config"]);
  });
});

describe("what FabEdge had", () => {
  test("its other arguments are warned about, with the reason, in every form and place", () => {
    for (const name of Object.keys(FABEDGE_ARGUMENTS)) {
      const flag = name === "v" ? ["-v", "4"] : [`--${name}`, "something"];
      const { warnings } = load({ argv: [...flag, "--enable-dns=false"] });
      expect(warnings).toEqual([`Ignored --${name}: ${FABEDGE_ARGUMENTS[name]}.`]);
      expect(load({ argv: [`--${name}=1`] }).warnings).toHaveLength(1);
      expect(load({ file: `${name}: 1` }).warnings).toHaveLength(1);
    }
  });

  test("a whole agent command line of FabEdge 1.0 starts", () => {
    const { config, warnings } = load({
      argv: [
        "--enable-proxy=true",
        "--proxy-mode=ipvs",
        "--proxy-cluster-cidr=10.233.64.0/18,2001:db8::/64",
        "--enable-dns=true",
        "--dns-debug=true",
        "--multicast-token=hunter2",
        "--log-level=5",
        "--use-xfrm",
      ],
    });
    expect(config.proxyMode).toBe("auto");
    expect(config.logLevel).toBe("debug");
    expect(warnings).toEqual([
      "Ignored --dns-debug: use --log-level=debug.",
      "Ignored --multicast-token: there is no discovery of peers in this version.",
      "Ignored --use-xfrm: FabEdge itself has removed it.",
      'Took --proxy-mode "ipvs" as "auto": there is no ipvs mode: nftables does its job.',
      'Took --log-level "5" as "debug": verbosity is a word here.',
    ]);
  });

  test("an unknown setting is warned about with the nearest name, and its value is not shown", () => {
    expect(load({ argv: ["--enable-dsn=hunter2"] }).warnings).toEqual([
      'Ignored --enable-dsn: there is no such setting. Did you mean "enable-dns"?',
    ]);
    expect(load({ env: { SELVEDGE_METASERVER: "x" } }).warnings).toEqual([
      'Ignored SELVEDGE_METASERVER: there is no such setting. Did you mean "meta-server"?',
    ]);
    expect(load({ file: "ENABLE_DNS: true" }).warnings).toEqual([
      'Ignored "ENABLE_DNS" of /etc/selvedge/config.yaml: there is no such setting. Did you mean "enable-dns"?',
    ]);
    expect(load({ argv: ["--zzz", "--enable-dns"] }).warnings).toEqual(["Ignored --zzz: there is no such setting."]);
  });
});

describe("warnings about safety", () => {
  test("a token in clear, an unverified source and open endpoints are said", () => {
    const { warnings } = load({
      argv: [
        "--source-url=http://10.0.0.1:8080",
        "--token-file=/token",
        "--insecure-skip-tls-verify",
        "--http-bind=0.0.0.0:10560",
      ],
    });
    expect(warnings).toHaveLength(3);
    expect(load({ argv: ["--token-file=/token"] }).warnings).toEqual([]);
    expect(load({ argv: ["--http-bind=[::1]:0"] }).warnings).toEqual([]);
  });
});

test("no text of any place makes the loader throw", () => {
  const words = fc.array(
    fc.oneof(fc.string(), fc.constantFrom("--enable-dns", "--node-name", "-v", "--", "--=", "--dns-upstream=")),
  );
  fc.assert(
    fc.property(words, fc.string(), fc.string(), (argv, file, value) => {
      loadConfig(sources({ argv, file, env: { SELVEDGE_HTTP_BIND: value, SELVEDGE_SOURCE_URL: value } }));
      configFilePath(argv, {});
    }),
  );
});
