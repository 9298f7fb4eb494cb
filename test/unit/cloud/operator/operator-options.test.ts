import { describe, expect, test } from "bun:test";
import { type OperatorOptions, parseOperatorOptions } from "../../../../cloud/operator/operator-options.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { prefix } from "../../../support/network-objects.ts";

const NEEDED = [
  "--cluster=paris",
  "--cni-type=flannel",
  "--cluster-cidr=10.1.0.0/16",
  "--connector-public-addresses=198.51.100.1",
];

function read(words: readonly string[], environment: Readonly<Record<string, string>> = {}): OperatorOptions {
  const options = parseOperatorOptions([...NEEDED, ...words], environment);
  if (!options.ok) throw new Error(options.error.message);
  return options.value;
}

function refusal(words: readonly string[]): string {
  const options = parseOperatorOptions(words, {});
  return options.ok ? "none" : `${options.error.kind}: ${options.error.message}`;
}

describe("the operator's options", () => {
  test("are FabEdge's, with its defaults", () => {
    const { settings, ...rest } = read([]);
    expect(settings).toMatchObject({
      cluster: "paris",
      role: "host",
      namespace: "fabedge",
      cni: "flannel",
      clusterCidrs: [prefix("10.1.0.0/16")],
      connector: { subnets: [], publicAddresses: ["198.51.100.1"], publicPort: 500, mediator: false },
      edgeLabels: { "node-role.kubernetes.io/edge": "" },
      edgePools: [],
      keepIpPools: true,
      endpointIdFormat: "C=CN, O=fabedge.io, CN={node}",
      certificateOrganization: "fabedge.io",
    });
    expect(rest).toEqual({
      kubeconfig: undefined,
      authoritySecret: "fabedge-ca",
      leaseName: "fabedge-operator-leader",
      timing: { leaseDuration: seconds(15), renewDeadline: seconds(10), retryPeriod: seconds(2) },
      listen: { hostname: "::", port: 8081 },
      join: undefined,
      logLevel: "info",
    });
  });

  test("are taken with their value behind a sign or as the next word, and switches without one", () => {
    const words = ["--connector-public-port", "4500", "--connector-as-mediator", "--auto-keep-ippools=false"];
    expect(read(words).settings).toMatchObject({
      connector: { publicPort: 4500, mediator: true },
      keepIpPools: false,
    });
    expect(read(["--connector-as-mediator", "--namespace", "edge"]).settings.namespace).toBe("edge");
  });

  test("know both families of calico's pools, each with the part that a node gets", () => {
    const words = ["--cni-type=calico", "--edge-pod-cidr=10.10.0.0/16", "--edge-pod-cidr6=fd01::/48"];
    expect(read([...words, "--edge-cidr-mask-size6=120"]).settings.edgePools).toEqual([
      { cidr: prefix("10.10.0.0/16"), blockLength: 24 },
      { cidr: prefix("fd01::/48"), blockLength: 120 },
    ]);
  });

  test("know lists, labels with and without a value, durations, and addresses to listen on", () => {
    const { settings, timing, listen } = read([
      "--connector-subnets=10.96.0.0/16, fd96::/112",
      "--edge-labels=a,b=c=d",
      "--leader-lease-duration=1m",
      "--leader-renew-deadline=30s",
      "--leader-retry-period=500ms",
      "--http-bind=[::1]:9",
    ]);
    expect(settings.connector.subnets).toEqual([prefix("10.96.0.0/16"), prefix("fd96::/112")]);
    expect(settings.edgeLabels).toEqual({ a: "", b: "c=d" });
    expect(timing).toEqual({ leaseDuration: 60_000, renewDeadline: 30_000, retryPeriod: 500 } as typeof timing);
    expect(listen).toEqual({ hostname: "::1", port: 9 });
  });

  test("of the agents come from variables", () => {
    const { agent } = read([], { AGENT_ARG_LOG_LEVEL: "5", AGENT_ARG_ENABLE_PROXY: "false", OTHER: "x" }).settings;
    expect(agent.arguments).toEqual({ "log-level": "5", "enable-proxy": "false" });
  });

  test("that are not understood say so", () => {
    expect(refusal([])).toBe("usage: operator needs --cluster");
    expect(refusal(NEEDED.slice(1))).toBe("usage: operator needs --cluster");
    expect(refusal([...NEEDED, "--nonsense=1"])).toBe('usage: operator has no argument "--nonsense=1"');
    expect(refusal([...NEEDED, "constructor"])).toBe('usage: operator has no argument "constructor"');
    expect(refusal([...NEEDED, "--constructor=1"])).toBe('usage: operator has no argument "--constructor=1"');
    expect(refusal([...NEEDED, "--namespace"])).toBe("usage: --namespace needs a value");
  });

  test("that cannot be say which, and what they are", () => {
    for (const [word, name] of [
      ["--cluster=Paris", "--cluster is a name"],
      ["--cni-type=cilium", "--cni-type is one of flannel, calico"],
      ["--cluster-cidr=10.1.0.0", "--cluster-cidr is a list of networks"],
      ["--connector-public-port=0", "--connector-public-port is a number from 1 to 65535"],
      ["--edge-pod-cidr=fd01::/48", "--edge-pod-cidr is a network of IPv4"],
      ["--leader-retry-period=2", "--leader-retry-period is a duration"],
      ["--leader-retry-period=12s", "are each longer than the next"],
      ["--http-bind=localhost", "--http-bind is an address with a port"],
      ["--http-bind=1.2.3.4:70000", "--http-bind is an address with a port"],
      ["--auto-keep-ippools=perhaps", "--auto-keep-ippools is one of true, false"],
      ["--log-level=loud", "--log-level is one of debug, info, warn, error"],
      ["--connector-public-addresses=", "has no public address"],
    ] as const) {
      expect(refusal([...NEEDED, word])).toStartWith("config: ");
      expect(refusal([...NEEDED, word])).toContain(name);
    }
  });
});
