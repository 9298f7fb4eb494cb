import { describe, expect, test } from "bun:test";
import { rankAddresses } from "../../../../edge/tunnel/address-ranking.ts";
import type { ProbeWay } from "../../../../edge/tunnel/path-probe.ts";
import { PeerWatch } from "../../../../edge/tunnel/peer-watch.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { milliseconds } from "../../../../src/base/duration.ts";
import type { TunnelState } from "../../../../src/strongswan/tunnel-state.ts";
import { ikeAssociation } from "../../../support/association-objects.ts";
import { ip } from "../../../support/network-objects.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const POOL = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];
const [FIRST = "", SECOND = ""] = rankAddresses("paris.e1", POOL);
const connector = makeConnectorEndpoint("paris.connector", { publicAddresses: POOL });

/** A peer whose tunnel is as the test says, looked at as often as the watch wants it. */
class World {
  now = 0;
  tunnel: TunnelState | undefined;
  /** Whether packets come back through the tunnel, and how large those are that do. */
  answers = true;
  widest = 1500;
  uplinkSource = ip("192.168.9.7");
  readonly replaced: string[] = [];
  readonly watch: PeerWatch;
  #bytes = 0;
  #bytesIn = 0;

  constructor(endpoint = connector) {
    this.watch = new PeerWatch(
      "paris.e1",
      endpoint,
      async () => [this.#association()],
      () => 0,
    );
  }

  up(remoteHost: string, spi = remoteHost, localHost = "192.168.9.7"): void {
    const association = ikeAssociation(1, ["p2p"], {
      remoteHost: ip(remoteHost),
      initiatorSpi: spi,
      localHost: ip(localHost),
    });
    this.tunnel = {
      name: "paris.connector",
      phase: "up",
      associations: [association],
      installedChildren: ["paris.connector-p2p"],
      missingChildren: [],
      failure: undefined,
    };
  }

  down(): void {
    this.tunnel = {
      name: "paris.connector",
      phase: "connecting",
      associations: [],
      installedChildren: [],
      missingChildren: ["paris.connector-p2p"],
      failure: undefined,
    };
  }

  /** @returns the MTU of the path at the end, if one is known */
  async run(milliseconds_: number): Promise<number | undefined> {
    for (const end = this.now + milliseconds_; this.now < end; ) {
      this.#bytes += 100;
      if (this.answers) this.#bytesIn += 100;
      const { wakeIn, replace } = this.watch.look({
        now: this.now as MonotonicTime,
        tunnel: this.tunnel,
        way: this.#way(),
      });
      if (replace) this.replaced.push(`${this.now} ${this.watch.addresses.join()}`);
      await Promise.resolve();
      this.now += Math.max(20, wakeIn);
    }
    return this.watch.pathMtu;
  }

  #association() {
    const [association] = this.tunnel?.associations ?? [];
    if (association === undefined) throw new Error("charon has none");
    const children = association.children.map((child) => ({ ...child, bytesIn: this.#bytesIn, bytesOut: this.#bytes }));
    return { ...association, children };
  }

  #way(): ProbeWay | undefined {
    if (this.tunnel?.associations.length !== 1) return undefined;
    return {
      uplinkMtu: 1500,
      uplinkSource: this.uplinkSource,
      askInside: (pathMtu, onAnswer) => {
        if (this.answers && pathMtu <= this.widest) onAnswer(milliseconds(10), this.now as MonotonicTime);
        return true;
      },
      askOutside: () => true,
    };
  }
}

describe("the watch of a connector with several addresses", () => {
  test("names one of them: the best of this node's ranking", () => {
    const { watch } = new World();
    expect(watch.addresses).toEqual([FIRST]);
    expect([...watch.ranked].sort()).toEqual([...POOL]);
  });

  test("stays with a tunnel that an earlier run made to another one", async () => {
    const world = new World();
    world.up(SECOND);
    await world.run(5000);
    expect(world.watch.addresses).toEqual([SECOND]);
    expect(world.replaced).toEqual([]);
  });

  test("takes the next one when its tunnel carries nothing any more, and not again before that had its chance", async () => {
    const world = new World();
    world.up(FIRST);
    await world.run(5000);
    world.answers = false;
    await world.run(2500);
    expect(world.replaced).toHaveLength(1);
    expect(world.watch.addresses).toEqual([SECOND]);
    // The SA that is left still stands in charon's list.
    await world.run(1000);
    expect(world.replaced).toHaveLength(1);
    world.up(SECOND);
    world.answers = true;
    await world.run(60_000);
    expect(world.replaced).toHaveLength(1);
  });

  test("leaves an address that is taken from the list, once, however well its tunnel is", async () => {
    const world = new World();
    world.up(FIRST);
    await world.run(5000);
    const rest = POOL.filter((address) => address !== FIRST);
    world.watch.setEndpoint({ ...connector, publicAddresses: rest });
    await world.run(1000);
    expect(world.replaced.map((line) => line.split(" ")[1])).toEqual([SECOND]);
    world.up(SECOND);
    await world.run(10_000);
    expect(world.replaced).toHaveLength(1);
  });

  test("stays where it is when another address is taken from the list, or all are for a while", async () => {
    const world = new World();
    world.up(FIRST);
    await world.run(5000);
    for (const publicAddresses of [[SECOND, FIRST], [FIRST], [], [FIRST]]) {
      world.watch.setEndpoint({ ...connector, publicAddresses });
      await world.run(5000);
    }
    expect(world.replaced).toEqual([]);
  });

  test("takes the next one when nobody answers at all", async () => {
    const world = new World();
    world.down();
    await world.run(5000);
    expect(world.replaced.map((line) => line.split(" ")[1])).toEqual([
      SECOND,
      rankAddresses("paris.e1", POOL)[2] ?? "",
    ]);
  });
});

describe("the watch of any peer", () => {
  const edge = makeEdgeEndpoint("paris.connector", { publicAddresses: POOL });

  test("has it made anew when the uplink is another one and charon stays with the old", async () => {
    const world = new World(edge);
    world.up("203.0.113.8");
    await world.run(1000);
    world.uplinkSource = ip("100.64.0.2");
    await world.run(5000);
    expect(world.replaced).toHaveLength(1);
  });

  test("has it made anew when charon followed the uplink to another one, and stays there when it comes back", async () => {
    const world = new World(edge);
    world.up("203.0.113.8");
    await world.run(1000);
    world.uplinkSource = ip("100.64.0.2");
    world.up("203.0.113.8", "203.0.113.8", "100.64.0.2");
    await world.run(5000);
    expect(world.replaced).toEqual([]);
    world.uplinkSource = ip("192.168.9.7");
    await world.run(5000);
    expect(world.replaced).toHaveLength(1);
  });

  test("leaves it alone when charon follows the uplink by itself, or never used the kernel's choice", async () => {
    const world = new World(edge);
    world.uplinkSource = ip("192.168.9.99");
    world.up("203.0.113.8");
    await world.run(5000);
    world.uplinkSource = ip("192.168.9.7");
    await world.run(5000);
    expect(world.replaced).toEqual([]);
  });

  test("leaves a dead edge node to charon: there is no other way to it", async () => {
    const world = new World(edge);
    world.up("203.0.113.8");
    await world.run(2000);
    world.answers = false;
    await world.run(20_000);
    expect(world.replaced).toEqual([]);
    expect(world.watch.addresses).toEqual([...POOL]);
  });

  test("knows how wide the path is, and looks again when the path is another", async () => {
    const world = new World(edge);
    world.up("203.0.113.8");
    expect(await world.run(5000)).toBeUndefined();
    world.widest = 1400;
    world.up("203.0.113.9");
    expect(await world.run(5000)).toBe(1400);
    world.answers = false;
    world.up("203.0.113.10");
    expect(await world.run(10_000)).toBe(1280);
    world.answers = true;
    world.widest = 1500;
    world.up("203.0.113.11");
    expect(await world.run(5000)).toBeUndefined();
  });
});
