import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { Cloudcore } from "../lab/cloudcore.ts";
import { globalServiceObject } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { conditionOf, dig, digName, PODS, statusOf } from "../support/edge-world.ts";
import { clusterObjectsOf, EDGECORES, MetaServerNode, service, startCloudcore } from "../support/metaserver-node.ts";

const { "web-1": FIRST, "web-2": SECOND } = PODS;

describe.each(EDGECORES)("with the metaServer of %s as its source, an agent", (edgecore) => {
  const early = service("early", 1, FIRST);
  const web = service("web", 2, FIRST);
  const doomed = service("doomed", 3, SECOND);
  let world: MetaServerNode;
  let cloudcore: Cloudcore;

  beforeAll(async () => {
    world = await MetaServerNode.create({ edgecore });
    cloudcore = await startCloudcore(world);
    await cloudcore.put(...clusterObjectsOf(early));
    await world.startAgent();
  }, seconds(60));
  afterAll(() => world?.[Symbol.asyncDispose]());

  test("has what was there before it", async () => {
    await world.serves(early);
    await waitFor("the source connected", async () => (await statusOf(world.edge)).source.connected);
  });

  test("follows a service as it comes, changes and goes", async () => {
    await cloudcore.put(...clusterObjectsOf(web));
    await world.serves(web);
    const changed = { ...web, endpoints: [FIRST, SECOND] };
    await cloudcore.put(...clusterObjectsOf(changed));
    await world.serves(changed);
    await cloudcore.remove(...clusterObjectsOf(web));
    await world.servesNoLonger(web);
  });

  test(
    "keeps all, and brings no deleted service back, over a restart of edgecore with the cloud away",
    async () => {
      await cloudcore.put(...clusterObjectsOf(doomed), ...clusterObjectsOf(web));
      await world.serves(doomed);
      await cloudcore.put(globalServiceObject("far", { lyon: "10.97.0.40" }));
      const far = () => digName(world.edge, "far.default.svc.global");
      await waitFor("a service of several clusters", async () => (await far()) === "10.97.0.40");
      await cloudcore.leave();
      await cloudcore.remove(...clusterObjectsOf(doomed));
      await cloudcore.put(...clusterObjectsOf({ ...web, endpoints: [SECOND] }));
      await world.edgecore.kill();
      await world.edgecore.start();
      await waitFor("news that the cloud is away", () => conditionOf(world.edge, "SOURCE_UNREACHABLE"));
      for (const known of [early, doomed, web]) await world.serves(known);
      expect(await far()).toBe("10.97.0.40");
      await cloudcore.put(globalServiceObject("far", { lyon: "10.97.0.41" }));

      await cloudcore.comeBack();
      await world.nextLists();
      await world.servesNoLonger(doomed);
      await world.serves({ ...web, endpoints: [SECOND] });
      await waitFor("what changed meanwhile", async () => (await far()) === "10.97.0.41");
      // edgecore has the deleted service in its store, and says so at the beginning of each watch.
      await world.nextLists();
      await cloudcore.put(...clusterObjectsOf(service("after", 4, FIRST)));
      await world.serves(service("after", 4, FIRST));
      expect(await dig(world.edge, "doomed")).toBe("NXDOMAIN");
    },
    seconds(120),
  );
});
