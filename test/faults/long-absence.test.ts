import { afterAll, beforeAll, expect, test } from "bun:test";
import { PendingWrites } from "../../edge/cache/pending-writes.ts";
import { CacheStore } from "../../edge/cache/store.ts";
import { hours, seconds } from "../../src/base/duration.ts";
import type { KubernetesObject } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import {
  backendsOf,
  conditionOf,
  dig,
  EdgeWorld,
  HUB_URL,
  objectsOf,
  PODS,
  ruleset,
  statusOf,
} from "../support/edge-world.ts";
import { numberedService } from "../support/many-services.ts";
import { parsePrometheusText } from "../support/prometheus-text.ts";

/** A Service and an EndpointSlice each. */
const PAIRS = 5000;
/** Of those before, so many are gone after, and as many have come. */
const SHIFT = 500;
const STEADY = { name: "steady", clusterIp: "10.96.0.10", endpoints: [PODS["web-1"]] };
const ABSENCE = hours(24 * 30);
const APPLIED_WITHIN = seconds(10);
/** The services, the slices, and what of either came late for one gathering. */
const TRANSACTIONS_MOST = 8;
/** Reading 10,000 manifests takes the hub a while, and the agent's pauses between two attempts have grown meanwhile. */
const PATIENCE = { timeout: seconds(60) };

let world: EdgeWorld;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(STEADY);
  await world.declareObjects("many", pairs(0, 80, PODS["web-1"]));
}, seconds(60));
afterAll(() => world?.[Symbol.asyncDispose]());

function pairs(from: number, port: number, endpoint: string): readonly KubernetesObject[] {
  const pair = (number: number) =>
    objectsOf(numberedService(from + number, [endpoint])).map((object) => withPort(object, port));
  return Array.from({ length: PAIRS }, (_, number) => pair(number)).flat();
}

function withPort(object: KubernetesObject, port: number): KubernetesObject {
  if (object.kind !== "Service") return object;
  const { clusterIP } = object["spec"] as { readonly clusterIP: string };
  return { ...object, spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ name: "http", protocol: "TCP", port }] } };
}

/** As if the cloud had last spoken so long ago. */
function age(folder: string): void {
  const store = new CacheStore(folder);
  const { watermarks } = store.load(() => undefined).state;
  const pending = new PendingWrites();
  for (const [kind, { trustedVersion, listedAt }] of watermarks)
    pending.setWatermark(kind, { trustedVersion, listedAt: listedAt - ABSENCE });
  store.write(pending.take());
  store.close();
}

/** With handles and without elements. */
const tablesAndRules = () => world.edge.output(["nft", "--handle", "--terse", "list", "ruleset"]);

async function transactions(): Promise<number> {
  const metrics = parsePrometheusText(await world.edge.output(["curl", "-s", "http://127.0.0.1:10560/metrics"]));
  const { samples = [] } = metrics.get("selvedge_nft_apply_seconds") ?? {};
  return samples.find(({ name }) => name.endsWith("_count"))?.value ?? Number.NaN;
}

test(
  "after 30 days without its cloud a node takes 10,000 changed objects as one difference, within 10 s",
  async () => {
    const last = numberedService(PAIRS - 1);
    const agent = await world.startAgent();
    const { service } = await waitFor(
      "all services",
      async () => {
        const status = await statusOf(world.edge);
        return status.service.services === PAIRS + 1 && status.service.endpoints === PAIRS + 1 && status;
      },
      PATIENCE,
    );
    expect(service.mode).toBe("nftables");
    await world.cached(last.clusterIp);
    await agent.stop();
    await world.stopHub();
    age(world.stateDir);

    await world.startAgent();
    expect(await backendsOf(world.client, last.clusterIp)).toEqual(["web-1"]);
    expect((await statusOf(world.edge)).source.stalenessSeconds).toBeGreaterThan(ABSENCE / 1000);
    const [structure, before] = [await tablesAndRules(), await transactions()];

    await world.declareObjects("many", pairs(SHIFT, 8080, PODS["web-2"]));
    await world.startHub();
    const connection = ["ss", "-tnH", "state", "established", `dport = :${new URL(HUB_URL).port}`];
    await waitFor("the agent back in touch", () => world.edge.output(connection), PATIENCE);
    const start = performance.now();
    const [gone, come] = [numberedService(0), numberedService(SHIFT + PAIRS - 1)];
    const timeout = APPLIED_WITHIN;
    await waitFor("the last name", async () => (await dig(world.client, come.name)) === come.clusterIp, { timeout });
    const applied = async () => {
      const text = await ruleset(world.edge);
      const changed = text.match(/tcp \. 8080 \. 0 : 10\.244\.1\.22 \. 8080/g)?.length;
      return changed === PAIRS && !text.includes(`${gone.clusterIp} `) && text.includes(`${come.clusterIp} `);
    };
    await waitFor("all of it in the kernel", applied, { timeout });
    const elapsedMs = performance.now() - start;
    expect(elapsedMs).toBeLessThan(APPLIED_WITHIN);
    expect(await dig(world.client, gone.name)).toBe("NXDOMAIN");
    expect(await backendsOf(world.client, `${come.clusterIp}:8080`)).toEqual(["web-2"]);

    // What is made anew gets another handle.
    expect(await tablesAndRules()).toBe(structure);
    const made = (await transactions()) - before;
    expect(made).toBeGreaterThan(0);
    expect(made).toBeLessThanOrEqual(TRANSACTIONS_MOST);
    await waitFor("no doubt", async () => (await conditionOf(world.edge, "DELETIONS_HELD")) === undefined);
    console.log(
      `${2 * PAIRS} objects changed, ${2 * SHIFT} of them gone and ${2 * SHIFT} new: applied in ` +
        `${(elapsedMs / 1000).toFixed(1)} s by ${made} transactions; tables and rules made anew: none`,
    );
  },
  seconds(180),
);
