import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { Cloudcore } from "../lab/cloudcore.ts";
import { waitFor } from "../lab/wait-for.ts";
import { conditionOf, dig, objectsOf, PODS } from "../support/edge-world.ts";
import { clusterObjectsOf, endpointsOf, MetaServerNode, service, startCloudcore } from "../support/metaserver-node.ts";

const { "web-1": FIRST, "web-2": SECOND } = PODS;
const SLICES = "/discovery.k8s.io/v1/endpointslices";
/** How long metaServer waits for the cloud before it answers from its own store. */
const STALL_MS = 10_000;

describe("an agent with metaServer as its source", () => {
  const web = service("web", 1, FIRST, SECOND);
  let world: MetaServerNode;
  let cloudcore: Cloudcore;

  beforeAll(async () => {
    world = await MetaServerNode.create({ edgecore: "edgecore" });
    cloudcore = await startCloudcore(world);
    await cloudcore.put(...clusterObjectsOf(web));
    await world.startAgent();
    await world.serves(web);
  }, seconds(60));
  afterAll(() => world?.[Symbol.asyncDispose]());

  test("finds out with its next list about a deletion whose event edgecore dropped for its version", async () => {
    const dropped = service("dropped", 2, FIRST);
    let known = "";
    // Again where the list that follows a watch came after the deletion, and told of it.
    for (let number = 101; known !== dropped.clusterIp; number++) {
      const later = service(`later-${number}`, number, FIRST);
      await cloudcore.put(...clusterObjectsOf(dropped));
      await world.serves(dropped);
      // A watch that begins now has the deletion's version behind it.
      await world.nextLists();
      await cloudcore.removeUnderLastVersion(...clusterObjectsOf(dropped));
      await cloudcore.put(...clusterObjectsOf(later));
      await world.serves(later);
      known = await dig(world.edge, dropped.name);
    }
    await world.endWatches();
    await world.servesNoLonger(dropped);
  });

  test(
    "starts and serves while metaServer stalls each call, as nobody has noticed yet that the link is dead",
    async () => {
      await world.uplink.silence();
      const begun = performance.now();
      const list = world.edge.output(["curl", "-sS", `${world.edgecore.url}/api/v1/services`]);
      await world.killAgent();
      await world.startAgent();
      await world.serves(web);
      expect(JSON.parse(await list).metadata.selfLink).toStartWith("/core/v1/services");
      expect(performance.now() - begun).toBeGreaterThanOrEqual(STALL_MS);
      await waitFor("news that the cloud is away", () => conditionOf(world.edge, "SOURCE_UNREACHABLE"), {
        timeout: seconds(30),
      });
      await world.serves(web);
      await world.uplink.restore();
      const found = service("found", 4, SECOND);
      await cloudcore.put(...clusterObjectsOf(found));
      await cloudcore.hears();
      await world.nextLists();
      await world.serves(found);
    },
    seconds(120),
  );

  test(
    "starts and serves without metaServer, and follows it when it is there",
    async () => {
      await world.edgecore.kill();
      await world.killAgent();
      await world.startAgent();
      await waitFor("news that metaServer is away", () => conditionOf(world.edge, "SOURCE_UNREACHABLE"));
      await world.serves(web);
      await world.edgecore.start();
      await cloudcore.connected();
      const next = service("next", 5, FIRST);
      await cloudcore.put(...clusterObjectsOf(next));
      await world.serves(next);
    },
    seconds(60),
  );

  test(
    "believes Endpoints when the cloud no longer gives EndpointSlices, and slices again when it does",
    async () => {
      const moved = { ...web, endpoints: [SECOND] };
      // Between the list and the watch that follows it the refusal would stop cloudcore for good, as it does KubeEdge's.
      await cloudcore.watched(SLICES);
      await cloudcore.refuse(SLICES);
      await world.endWatches();
      await cloudcore.put(endpointsOf(moved));
      // Three lists one after the other say so, each of which an ended watch may have taken with it.
      await world.serves(moved, { timeout: seconds(90) });
      await world.cached("slices withheld");
      await cloudcore.leave();
      await world.killAgent();
      await world.startAgent();
      await world.serves(moved);
      await cloudcore.comeBack();
      await world.nextLists();
      await world.serves(moved);
      await cloudcore.refuse();
      await cloudcore.put(...objectsOf(web));
      await world.endWatches();
      await world.serves(web);
    },
    seconds(180),
  );
});
