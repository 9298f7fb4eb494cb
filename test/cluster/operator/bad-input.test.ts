import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hours } from "../../../src/base/duration.ts";
import { issueAuthority } from "../../../src/certificate/issue.ts";
import { PrivateKey } from "../../../src/certificate/private-key.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { applyObject } from "../../support/cluster-objects.ts";
import { inCluster, kubectl } from "../../support/in-cluster.ts";
import { prefix } from "../../support/network-objects.ts";
import {
  addCommunity,
  addNode,
  eventsOf,
  installCalicoCrds,
  installCrds,
  NAMESPACE,
  RunningOperator,
  SETTINGS,
  see,
} from "../../support/operator-world.ts";

/** Room for three nodes, of which one keeps what is not its own. */
const CALICO = {
  ...SETTINGS,
  cni: "calico",
  clusterCidrs: [prefix("10.233.0.0/16")],
  edgePools: [{ cidr: prefix("10.1.0.0/22"), blockLength: 24 }],
} as const;

inCluster(import.meta.path, () => {
  let operator: RunningOperator;

  beforeAll(async () => {
    await installCalicoCrds();
    await installCrds();
    await addNode("cloud1", 100, false);
    for (const [i, name] of ["good", "older", "younger", "words", "lost"].entries()) {
      await addNode(name, i + 1);
      // In the order of their creation, which has whole seconds.
      await waitForNextSecond();
    }
    annotate("good", "fabedge.io/subnets=10.1.0.0/24");
    annotate("older", "fabedge.io/subnets=10.1.1.0/24");
    annotate("younger", "fabedge.io/subnets=10.1.1.0/24");
    annotate("words", "fabedge.io/subnets=10.1.2.0/24,10.1.3.0/24");
    annotate(
      "words",
      "argument.fabedge.io/sync-period=often",
      "fabedge.io/node-public-addresses=203.0.113.5,not an address",
    );
    await addCommunity("nobody", ["paris.nobody", "paris.ghost"]);
    await addCommunity("twice", ["paris.good", "paris.older", "paris.good"]);
    const endpoint = {
      ...{ id: "C=CN, O=fabedge.io, CN=lyon.connector", name: "lyon.connector", type: "Connector" },
      ...{ publicAddresses: ["198.51.100.9"], subnets: ["10.233.7.0/24", "10.77.0.0/16"], nodeSubnets: ["172.16.0.1"] },
    };
    const spec = { cidrs: ["10.233.7.0/24", "10.77.0.0/16"], endpoints: [endpoint] };
    await applyObject({ apiVersion: "fabedge.io/v1alpha1", kind: "Cluster", metadata: { name: "lyon" }, spec });
    const key = PrivateKey.generate();
    const name = { country: "CN", organization: "fabedge.io", commonName: "Fabedge CA" };
    const made = Date.now() - hours(24 * 400);
    const { certificate } = issueAuthority(key, name, { notBefore: made, notAfter: made + hours(24 * 365) });
    const data = { "ca.crt": btoa(certificate), "ca.key": btoa(key.pem()) };
    await applyObject({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "fabedge-ca", namespace: NAMESPACE },
      data,
    });
    operator = await RunningOperator.start("bad-input", CALICO);
    await operator.settled();
  });
  afterAll(() => operator?.close());

  const condition = async (kind: string, name: string) =>
    (await see(kind, name))?.status?.conditions?.find(
      ({ type }) => type === (kind === "node" ? "SelvedgeReady" : "Ready"),
    );
  interface Told {
    readonly reason: string;
    readonly type: string;
    readonly note: string;
  }

  describe("bad input", () => {
    test.each([
      ["node", "younger", "SubnetConflict", "False", "Remove the annotation fabedge.io/subnets from this node"],
      ["node", "lost", "PoolExhausted", "False", "Give the operator a larger edge pod CIDR"],
      ["node", "words", "ArgumentMalformed", "True", "Correct or remove the annotation"],
      ["node", "words", "PublicAddressMalformed", "True", "Correct or remove the annotation"],
      ["community", "nobody", "CommunityAlone", "False", "Name at least two endpoints"],
      ["community", "nobody", "MemberUnknown", "False", "Correct the name"],
      ["community", "twice", "MemberTwice", "True", "Name each member once"],
      ["cluster", "lyon", "CidrOverlap", "True", "Give the clusters networks that do not overlap"],
      ["cluster", "paris", "AuthorityReplaced", "True", "Start FabEdge's agents and connectors again"],
    ])("of %s %s is a condition and an Event, %s, with a way out", async (kind, name, reason, status, hint) => {
      const said = await waitFor("the condition", () => condition(kind, name));
      expect(said).toMatchObject({ status });
      expect(said["message"]).toContain(hint);
      const told = await waitFor("the Event", async () =>
        (await eventsOf<Told>(name)).find((event) => event.reason === reason),
      );
      expect(told.note).toContain(hint);
      expect(told.type).toBe(reason === "MemberTwice" ? "Normal" : "Warning");
    });

    test("of an authority that has ended is put right once a person has seen to what only a person can do", async () => {
      const seen = '--patch=[{"op":"remove","path":"/data/previous.crt"}]';
      kubectl("patch", "secret", "fabedge-ca", `--namespace=${NAMESPACE}`, "--type=json", seen);
      await waitFor(
        "all is well with it",
        async () => (await condition("cluster", "paris"))?.["reason"] === "AsWanted",
      );
    });

    test("keeps nobody else from going on", async () => {
      const tunnels = async (node: string) =>
        (await see("configmap", `fabedge-agent-config-${node}`))?.data?.["tunnels.yaml"] ?? "";
      for (const node of ["good", "older", "words"]) {
        expect(await tunnels(node)).toContain(`name: paris.${node}`);
        expect(await see("secret", `fabedge-agent-tls-${node}`)).toBeDefined();
      }
      for (const node of ["younger", "lost"]) expect(await tunnels(node)).toBe("");
      expect(await tunnels("good")).toContain("paris.older");
      annotate("good", "fabedge.io/node-public-addresses=203.0.113.77");
      await waitFor("a change of a good one", async () => (await tunnels("older")).includes("203.0.113.77"));
      // And whoever is put right is there at once.
      annotate("younger", "fabedge.io/subnets-");
      annotate("words", "fabedge.io/subnets=10.1.2.0/24");
      await waitFor(
        "it is let in",
        async () =>
          (await tunnels("younger")).includes("10.1.3.0/24") || (await tunnels("lost")).includes("10.1.3.0/24"),
      );
    });
  });
});

function annotate(node: string, ...annotations: readonly string[]): void {
  kubectl("annotate", "node", node, ...annotations, "--overwrite");
}

async function waitForNextSecond(): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  await waitFor("the next second", () => Math.floor(Date.now() / 1000) > now);
}
