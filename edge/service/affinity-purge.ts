import { errorCode } from "../../src/base/errors.ts";
import type { Family } from "../../src/base/ip.ts";
import type { Nftables } from "../../src/linux/nftables.ts";
import { NftBatch } from "../../src/wire/nftables-batch.ts";
import type { SetElement } from "../../src/wire/nftables-element.ts";
import { TABLE } from "./ruleset.ts";
import type { Layout } from "./ruleset-batch.ts";
import { type PlacedFrontend, PROTOCOL_NUMBERS } from "./ruleset-elements.ts";
import type { VanishedBackend } from "./ruleset-model.ts";

/** The kernel fails a batch that deletes what has just expired: what is about to is left to the second look. */
const EXPIRES_SOON_MILLISECONDS = 2000;

export interface RememberedClients {
  readonly set: "affinity" | "node-affinity";
  readonly elements: readonly SetElement[];
}

/** The clients that were given an endpoint which is no more. */
export function observeForgotten(
  nft: Pick<Nftables, "elements">,
  layout: Layout,
  vanished: readonly VanishedBackend[],
): readonly RememberedClients[] {
  const found: RememberedClients[] = [];
  for (const set of ["affinity", "node-affinity"] as const) {
    const gone = new Set(vanished.filter((v) => isIn(v, set, layout.family)).map(purgeKey));
    if (gone.size === 0) continue;
    const elements = nft
      .elements(layout.family, TABLE, layout.sets[set])
      .filter((element) => gone.has(rememberedKey(element)));
    if (elements.length > 0) found.push({ set, elements });
  }
  return found;
}

/** In the transaction that removes the endpoints. */
export function forgetClients(batch: NftBatch, layout: Layout, clients: readonly RememberedClients[]): void {
  for (const { set, elements } of clients) {
    const lasting = elements.filter((e) => (e.expiresMilliseconds ?? 0) > EXPIRES_SOON_MILLISECONDS);
    batch.deleteElements(layout.family, TABLE, layout.sets[set], lasting);
  }
}

/** After it: clients remembered between the look and the transaction. */
export function forgetLateClients(
  nft: Pick<Nftables, "elements" | "commit">,
  layout: Layout,
  vanished: readonly VanishedBackend[],
): void {
  for (const clients of observeForgotten(nft, layout, vanished)) forgetEach(nft, layout, clients);
}

/** After everything was compared: clients whose endpoint went while nobody looked, or with a difference that failed. */
export function forgetStrangers(
  nft: Pick<Nftables, "elements" | "commit">,
  layout: Layout,
  placed: Iterable<PlacedFrontend>,
): void {
  const valid = new Set<string>();
  for (const { frontend, slots, localSlots } of placed) {
    if (frontend.affinitySeconds === undefined || frontend.family !== layout.family) continue;
    for (const backend of slots) valid.add(purgeKey({ frontend, backend }));
    for (const backend of localSlots) valid.add(purgeKey({ frontend, backend }));
  }
  for (const set of ["affinity", "node-affinity"] as const) {
    const elements = nft
      .elements(layout.family, TABLE, layout.sets[set])
      .filter((element) => !valid.has(rememberedKey(element)));
    forgetEach(nft, layout, { set, elements });
  }
}

/** One by one, as any may expire meanwhile. */
function forgetEach(nft: Pick<Nftables, "commit">, layout: Layout, { set, elements }: RememberedClients): void {
  for (const element of elements) {
    const batch = new NftBatch();
    batch.begin();
    batch.deleteElements(layout.family, TABLE, layout.sets[set], [element]);
    try {
      nft.commit("forget the client of an endpoint that is gone", batch);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }
}

/** The first field of the key is the client; the rest is the service, and the value the endpoint. */
function rememberedKey({ key, data }: SetElement): string {
  return [...key.slice(1), ...(data ?? [])].join(" ");
}

function isIn({ frontend }: VanishedBackend, set: RememberedClients["set"], family: Family): boolean {
  if (frontend.family !== family || frontend.affinitySeconds === undefined) return false;
  return (frontend.address === undefined) === (set === "node-affinity");
}

function purgeKey({ frontend, backend }: VanishedBackend): string {
  const entrance = [PROTOCOL_NUMBERS[frontend.protocol], frontend.port, backend.address, backend.port];
  return (frontend.address === undefined ? entrance : [frontend.address, ...entrance]).join(" ");
}
