import { expect, test } from "bun:test";
import { ok } from "../../../../src/base/result.ts";
import { KubeClient } from "../../../../src/kube/client.ts";
import { LIST_KEPT_BYTES_MAX, listObjects, PAGES_MAX } from "../../../../src/kube/list.ts";
import { SERVICES } from "../../../../src/kube/resource.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

/** Lists services that take so much each, from a source that answers every request with the same. */
async function listing(answer: object, sizeBytes: number) {
  let requests = 0;
  const clock = new SteppedClock();
  const endpoint = { url: "http://source", credentials: async () => ({ token: undefined, tls: undefined }) };
  const fetch = async () => {
    requests += 1;
    return Response.json(answer);
  };
  const client = new KubeClient(endpoint, "test/1", fetch, clock);
  const decoder = { resource: SERVICES, decode: () => ok("value"), sizeBytes: () => sizeBytes };
  const list = listObjects({ client, source: "hub", decoder, clock }, new AbortController().signal);
  const outcome = await list.then(({ items }) => items.length).catch((error: Error) => error.message);
  return { outcome, requests };
}

const items = ["a", "b", "c"].map((name) => ({ metadata: { namespace: "d", name } }));

test("a list that never ends is given up after its most pages", async () => {
  const { outcome, requests } = await listing({ metadata: { continue: "more" }, items: [] }, 1);
  expect(outcome).toContain(`more than ${PAGES_MAX} pages`);
  expect(requests).toBe(PAGES_MAX);
});

test("a list whose objects keep too much together is given up, however few they are", async () => {
  const third = LIST_KEPT_BYTES_MAX / 3;
  expect((await listing({ metadata: {}, items }, Math.floor(third))).outcome).toBe(3);
  expect((await listing({ metadata: {}, items }, Math.ceil(third) + 1)).outcome).toContain("objects of more than");
});
