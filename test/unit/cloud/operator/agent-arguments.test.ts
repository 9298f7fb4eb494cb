import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { checkArgument, planAgentArguments } from "../../../../cloud/operator/agent-arguments.ts";
import type { ClusterNode } from "../../../../src/network/cluster-node.ts";
import { edgeNode, makeCalicoSettings, makeOperatorSettings } from "../../../support/operator-objects.ts";

function plan(
  annotations: Readonly<Record<string, string>>,
  forAll: Readonly<Record<string, string>> = {},
  settings = makeOperatorSettings(),
) {
  const prefixed = Object.fromEntries(Object.entries(annotations).map(([k, v]) => [`argument.fabedge.io/${k}`, v]));
  const node = edgeNode("e1", { annotations: prefixed }).value as ClusterNode;
  const { arguments: values, problems } = planAgentArguments(node, {
    ...settings,
    agent: { ...settings.agent, arguments: forAll },
  });
  return { values: Object.fromEntries(values), names: [...values.keys()], problems };
}

describe("an agent's arguments", () => {
  test("are everybody's, those of the node laid over them, sorted", () => {
    const { values, names } = plan({ "log-level": "5", debounce: "2s" }, { "log-level": "3", "enable-proxy": "false" });
    expect(values).toMatchObject({ debounce: "2s", "enable-proxy": "false", "log-level": "5" });
    expect(names).toEqual(["debounce", "enable-proxy", "log-level", "proxy-cluster-cidr"]);
  });

  test("tell the networks of all pods, the edges' own among them, whether there is a proxy or not", () => {
    expect(plan({}).values["proxy-cluster-cidr"]).toBe("10.1.0.0/16");
    expect(plan({ "enable-proxy": "false" }).values["proxy-cluster-cidr"]).toBe("10.1.0.0/16");
    expect(plan({}, {}, makeCalicoSettings()).values["proxy-cluster-cidr"]).toBe("10.233.64.0/18,10.1.0.0/16");
    expect(plan({ "proxy-cluster-cidr": "10.9.0.0/16" }).values["proxy-cluster-cidr"]).toBe("10.9.0.0/16");
  });

  test("that cannot be read are left as everybody has them, and said", () => {
    const { values, problems } = plan({ "enable-dns": "maybe", debounce: "soon" }, { "enable-dns": "true" });
    expect(values["enable-dns"]).toBe("true");
    expect(values["debounce"]).toBeUndefined();
    expect(problems.map((p) => [p.code, p.severity])).toEqual([
      ["ARGUMENT_MALFORMED", "degraded"],
      ["ARGUMENT_MALFORMED", "degraded"],
    ]);
    expect(problems[0]?.message).toContain("argument.fabedge.io/enable-dns");
  });

  test("with auto-networking and no token leave auto-networking off: the agent would not start", () => {
    const { values, problems } = plan({ "auto-networking": "true" });
    expect(values["auto-networking"]).toBe("false");
    expect(problems.map((p) => p.code)).toEqual(["MULTICAST_TOKEN_MISSING"]);
    expect(plan({ "auto-networking": "true" }, { "multicast-token": "t" }).problems).toEqual([]);
  });

  test("that nobody knows are passed on, since agents of other versions may know them", () => {
    expect(plan({ "use-xfrm": "true" }).values["use-xfrm"]).toBe("true");
  });

  test.each([
    ["sync-period", "1m30s", true],
    ["sync-period", "30", false],
    ["dns-bind-ip", "169.254.25.10", true],
    ["dns-bind-ip", "169.254.25.300", false],
    ["proxy-cluster-cidr", "10.0.0.0/8,fd00::/8", true],
    ["proxy-cluster-cidr", "10.0.0.0", false],
    ["multicast-address", "239.40.20.81:18080", true],
    ["multicast-address", "239.40.20.81", false],
    ["network-plugin-mtu", "1400", true],
    ["network-plugin-mtu", "-1", false],
    ["masq-outgoing", "T", true],
    ["workdir", "/var/lib/fabedge", true],
    ["workdir", "/var\n--enable-proxy=true", false],
    ["UPPER", "x", false],
    ["", "x", false],
    ["constructor", "x", true],
  ])("%s=%s can be given: %p", (name, value, good) => {
    expect(checkArgument(name, value) === undefined).toBe(good);
  });

  test("never become more than one word of a command line, whatever an annotation holds", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (name, value) => {
        for (const [key, text] of Object.entries(plan({ [name]: value }).values)) {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
          expect(`--${key}=${text}`).toMatch(/^--[a-z][a-z0-9-]*=[^\u0000-\u001f\u007f]*$/);
        }
      }),
    );
  });
});
