import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { minutes, seconds } from "../../src/base/duration.ts";
import type { Cloudcore } from "../lab/cloudcore.ts";
import { waitFor } from "../lab/wait-for.ts";
import { conditionOf, PODS, statusOf } from "../support/edge-world.ts";
import {
  clusterObjectsOf,
  EDGECORES,
  endpointsOf,
  MetaServerNode,
  service,
  startCloudcore,
} from "../support/metaserver-node.ts";
import { ServiceAccount } from "../support/service-account.ts";

const { "web-1": FIRST, "web-2": SECOND } = PODS;
const TOKEN_FILE = "/run/selvedge-token";
const AUTHORITY = "/etc/kubeedge/ca/rootCA.crt";
const HOUR_SECONDS = minutes(60) / 1000;
const CORE = { apiGroups: [""], resources: ["services", "endpoints", "nodes"] };
const SLICES = { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"] };
/** edgecore asks for its certificate authority each 5 s, and connects again each 5 s. */
const EDGECORE_BACK = { timeout: seconds(60) };

describe.each(EDGECORES)("with the metaServer of %s that requires authorization, an agent", (edgecore) => {
  const account = new ServiceAccount();
  const web = service("web", 1, FIRST, SECOND);
  let world: MetaServerNode;
  let cloudcore: Cloudcore;

  const writeToken = (lifeSeconds: number) => world.edge.writeFile(TOKEN_FILE, account.token(lifeSeconds), "0600");
  const startAgent = () => world.startAgent("--ca-file", AUTHORITY, "--token-file", TOKEN_FILE);

  beforeAll(async () => {
    world = await MetaServerNode.create({ edgecore, requireAuthorization: account });
    cloudcore = await startCloudcore(world);
    await cloudcore.push("policycontroller", account.access(CORE, SLICES));
    await cloudcore.put(...clusterObjectsOf(web));
    await writeToken(HOUR_SECONDS);
    await startAgent();
  }, seconds(60));
  afterAll(() => world?.[Symbol.asyncDispose]());

  test("follows it over HTTPS with its token", async () => {
    await world.serves(web);
    const changed = { ...web, endpoints: [FIRST] };
    await cloudcore.put(...clusterObjectsOf(changed));
    await world.serves(changed);
    await waitFor("the source connected", async () => (await statusOf(world.edge)).source.connected);
  });

  test(
    "keeps serving while its token is refused, and reads the next one",
    async () => {
      await writeToken(-HOUR_SECONDS);
      await world.endWatches();
      const refusal = await waitFor("the refusal", () => conditionOf(world.edge, "SOURCE_REFUSED"), EDGECORE_BACK);
      expect(refusal.message).toContain("401");
      await world.serves({ ...web, endpoints: [FIRST] });
      await writeToken(HOUR_SECONDS);
      const next = service("next", 2, SECOND);
      await cloudcore.put(...clusterObjectsOf(next));
      await world.serves(next);
    },
    seconds(60),
  );

  test(
    "believes Endpoints where it may not read EndpointSlices",
    async () => {
      await cloudcore.push("policycontroller", account.access(CORE));
      await world.endWatches();
      await cloudcore.put(endpointsOf({ ...web, endpoints: [SECOND] }));
      await world.serves({ ...web, endpoints: [SECOND] });
      expect(await conditionOf(world.edge, "ENDPOINT_SLICES_WITHHELD")).toBeDefined();
    },
    seconds(60),
  );

  test(
    "serves over a start of edgecore without its cloud, and follows when both are there",
    async () => {
      await cloudcore.leave();
      await world.edgecore.kill();
      await world.killAgent();
      await world.edgecore.launch();
      await startAgent();
      await waitFor("news that the cloud is away", () => conditionOf(world.edge, "SOURCE_UNREACHABLE"));
      // From 1.17 on edgecore opens metaServer's port once the cloud has told it its certificate authority.
      if (edgecore === "edgecore") expect(await world.edgecore.listens()).toBeFalse();
      await world.serves(service("next", 2, SECOND));
      await cloudcore.comeBack();
      await waitFor("metaServer", () => world.edgecore.listens(), EDGECORE_BACK);
      const last = service("last", 3, FIRST);
      await cloudcore.put(...clusterObjectsOf(last));
      await world.nextLists();
      await world.serves(last);
    },
    seconds(120),
  );
});
