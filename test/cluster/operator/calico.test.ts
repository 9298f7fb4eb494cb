import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { OperatorSettings } from "../../../cloud/operator/settings.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { applyObject } from "../../support/cluster-objects.ts";
import { inCluster, kubectl } from "../../support/in-cluster.ts";
import { prefix } from "../../support/network-objects.ts";
import {
  addNode,
  installCalicoCrds,
  installCrds,
  RunningOperator,
  SETTINGS,
  see,
} from "../../support/operator-world.ts";

const CALICO: OperatorSettings = {
  ...SETTINGS,
  cni: "calico",
  edgePools: [{ cidr: prefix("10.200.0.0/16"), blockLength: 24 }],
  keepIpPools: true,
};

async function addBlock(name: string, cidr: string, node: string): Promise<void> {
  const spec = { cidr, affinity: `host:${node}`, deleted: false };
  await applyObject({ apiVersion: "crd.projectcalico.org/v1", kind: "IPAMBlock", metadata: { name }, spec });
}

inCluster(import.meta.path, () => {
  beforeAll(async () => {
    await installCrds();
    await installCalicoCrds();
    await addNode("cloud1", 100, false);
    await addBlock("10-1-100-0-26", "10.1.100.0/26", "cloud1");
    for (const n of [1, 2]) await addNode(`e${n}`, n);
  });

  let running: RunningOperator[] = [];
  afterEach(async () => {
    await Promise.all(running.map((one) => one.close()));
    running = [];
  });
  async function start(identity: string): Promise<RunningOperator> {
    const one = await RunningOperator.start(identity, CALICO);
    running.push(one);
    return one;
  }

  const subnetsOf = async (node: string) => (await see("node", node))?.metadata.annotations?.["fabedge.io/subnets"];
  const connectorSubnets = async () =>
    (
      Bun.YAML.parse((await see("configmap", "connector-config"))?.data?.["tunnels.yaml"] ?? "") as {
        subnets: readonly string[];
      }
    ).subnets;

  describe("beside Calico, an operator", () => {
    test("gives each edge node a part of its pool, once, which two leaders agree on", async () => {
      const [first, second] = await Promise.all([start("a"), start("b")]);
      await waitFor("both annotations", async () => (await subnetsOf("e1")) && (await subnetsOf("e2")));
      const given = [await subnetsOf("e1"), await subnetsOf("e2")];
      expect(given[0]).toMatch(/^10\.200\.\d+\.0\/24$/);
      expect(new Set(given).size).toBe(2);
      const [leader, other] = first.operator.status.leading ? [first, second] : [second, first];
      await leader.settled();
      await leader.kill();
      await other.settled();
      expect([await subnetsOf("e1"), await subnetsOf("e2")]).toEqual(given);
      expect(other.writes.filter((write) => write.includes("nodes/"))).toEqual([]);
    });

    test("keeps a pool that Calico gives nothing from, and puts it back", async () => {
      const operator = await start("c");
      await operator.settled();
      const name = "paris-10-200-0-0-16";
      expect((await see("ippool", name))?.spec).toMatchObject({
        cidr: "10.200.0.0/16",
        disabled: true,
        natOutgoing: false,
      });
      kubectl("delete", "ippool", name);
      await waitFor("the pool", () => see("ippool", name));
    });

    test("notices a new block of a cloud node at once", async () => {
      const operator = await start("d");
      await operator.settled();
      expect(await connectorSubnets()).toContain("10.1.100.0/26");
      await addBlock("10-1-101-0-26", "10.1.101.0/26", "cloud1");
      await waitFor("the block", async () => (await connectorSubnets()).includes("10.1.101.0/26"));
      kubectl("delete", "ipamblock", "10-1-101-0-26");
      await waitFor("that it is gone", async () => !(await connectorSubnets()).includes("10.1.101.0/26"));
    });
  });
});
