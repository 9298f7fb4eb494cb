import { describe, expect, test } from "bun:test";
import { hashPodSpec, planAgentPod } from "../../../../cloud/operator/agent-pod.ts";
import { agentPodLabel, labelValue } from "../../../../cloud/operator/object-names.ts";
import { ipPoolName, planIpPool } from "../../../../cloud/operator/plan.ts";
import { OPTIONS } from "../../../../edge/config/options.ts";
import { STALL } from "../../../../edge/status/watchdog.ts";
import { prefix } from "../../../support/network-objects.ts";
import { makeOperatorSettings } from "../../../support/operator-objects.ts";

/** Kubernetes' own rules for a label's value and for the name of an object. */
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

describe("names", () => {
  test("of nodes become labels, long ones with a hash that keeps them apart", () => {
    expect(agentPodLabel("e1")).toBe("fabedge-agent-e1");
    const [a, b] = [labelValue(`${"n".repeat(100)}a`), labelValue(`${"n".repeat(100)}b`)];
    expect(a).not.toBe(b);
    for (const label of [a, b]) expect(label).toMatch(LABEL_VALUE);
  });

  test("of a label's value end in a letter or digit where they are cut", () => {
    expect(labelValue(`${"n".repeat(53)}.${"m".repeat(50)}`)).toMatch(LABEL_VALUE);
  });

  test.each(["10.1.0.0/16", "fd00::/64", "2001:db8:0:1::/120"])("of a pool come from its network: %s", (cidr) => {
    expect(ipPoolName("paris", prefix(cidr))).toMatch(SUBDOMAIN);
  });
});

describe("a pool for Calico", () => {
  test.each([
    ["10.1.0.0/16", 26],
    ["10.1.0.0/28", 28],
    ["fd00::/64", 122],
  ])("%s has blocks that fit into it: /%d", (cidr, blockSize) => {
    expect(planIpPool("paris", prefix(cidr)).spec).toMatchObject({ cidr, blockSize });
  });
});

describe("an agent's pod", () => {
  const settings = makeOperatorSettings();
  const probesOf = (values: Record<string, string> = {}) => {
    const [agent] = planAgentPod("e1", new Map(Object.entries(values)), settings).containers;
    return { livenessProbe: agent?.livenessProbe, readinessProbe: agent?.readinessProbe };
  };

  test("is asked how it is where the agent answers", () => {
    const { address, port } = OPTIONS.httpBind.fallback({ hostname: "" });
    expect(probesOf()).toMatchObject({
      livenessProbe: { httpGet: { host: address, port, path: "/livez" } },
      readinessProbe: { httpGet: { host: address, port, path: "/readyz" } },
    });
    expect(probesOf({ "http-bind": "192.0.2.7:9100" }).livenessProbe?.httpGet).toEqual({
      host: "192.0.2.7",
      port: 9100,
      path: "/livez",
    });
    expect(probesOf({ "http-bind": "[::1]:9100" }).livenessProbe?.httpGet?.host).toBe("::1");
  });

  test.each(["127.0.0.1:0", "127.0.0.1", "9100", "127.0.0.1:70000", ""])(
    "is not asked where nobody can tell: --http-bind=%s",
    (bind) => {
      expect(probesOf({ "http-bind": bind })).toEqual({ livenessProbe: undefined, readinessProbe: undefined });
    },
  );

  test("hangs no shorter than the agent's own watchdog has it before it is started again", () => {
    const { periodSeconds = 0, failureThreshold = 0 } = probesOf().livenessProbe ?? {};
    expect(periodSeconds * failureThreshold).toBeGreaterThanOrEqual(STALL / 1000);
  });

  test("has its share of a busy node, and is the last to be taken away from it", () => {
    const spec = planAgentPod("e1", new Map(), settings);
    expect(spec.priorityClassName).toBe("system-node-critical");
    for (const { name, resources } of spec.containers) {
      const [cpu, memory] = [expect.stringMatching(/^\d+m$/), expect.stringMatching(/^\d+Mi$/)];
      expect([name, resources]).toEqual([name, { requests: { cpu, memory }, limits: { memory } }]);
    }
  });
});

describe("a pod's hash", () => {
  const settings = makeOperatorSettings();
  const spec = planAgentPod("e1", new Map([["log-level", "3"]]), settings);

  test("changes with whatever of the pod changes, and with nothing else", () => {
    expect(hashPodSpec(planAgentPod("e1", new Map([["log-level", "3"]]), settings))).toBe(hashPodSpec(spec));
    const others = [
      planAgentPod("e2", new Map([["log-level", "3"]]), settings),
      planAgentPod("e1", new Map([["log-level", "4"]]), settings),
      planAgentPod("e1", new Map(), { ...settings, agent: { ...settings.agent, image: "selvedge/agent:2" } }),
    ];
    for (const other of others) expect(hashPodSpec(other)).not.toBe(hashPodSpec(spec));
  });

  test("is that of a pod without secrets for its images unless there are some", () => {
    expect(spec).not.toHaveProperty("imagePullSecrets");
    const agent = { ...settings.agent, imagePullSecrets: ["one", "two"] };
    const other = planAgentPod("e1", new Map([["log-level", "3"]]), { ...settings, agent });
    expect(other.imagePullSecrets).toEqual([{ name: "one" }, { name: "two" }]);
    expect(hashPodSpec(other)).not.toBe(hashPodSpec(spec));
  });

  test("every mount has its volume, and every volume is mounted", () => {
    const mounted = new Set(spec.containers.flatMap((container) => container.volumeMounts.map((mount) => mount.name)));
    expect([...mounted].sort()).toEqual(spec.volumes.map((volume) => String(volume["name"])).sort());
  });
});
