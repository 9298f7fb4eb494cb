import { afterAll, beforeAll, expect, test } from "bun:test";
import { seconds } from "../../../src/base/duration.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import { CharonCommands } from "../../../src/strongswan/charon-commands.ts";
import { formatCharonConfig } from "../../../src/strongswan/charon-config.ts";
import { CHARON_SOCKET } from "../../../src/strongswan/charon-folder.ts";
import { ViciSession } from "../../../src/strongswan/vici-session.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { type CharonNode, CharonWorld } from "../../support/charon-world.ts";

let world: CharonWorld;
let edge: CharonNode;
let peer: CharonNode;

beforeAll(async () => {
  world = await CharonWorld.create();
  edge = await world.node("e1");
  peer = await world.node("e2");
}, 30_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

const FACTS = { role: "edge", kernelEsp: false, viciSocket: CHARON_SOCKET, ignoredLinks: [] } as const;
/** Nobody has it, and there is no router. */
const NOBODY = { remoteAddresses: ["192.168.1.250"] };
const reason = () => edge.keeper.tunnel("paris.e2")?.failure?.text;

test("charon has no route and no rule of ours, nor one before the main table, from its start to its end", async () => {
  const ours = async () => {
    const tables = await edge.host.output([
      "sh",
      "-c",
      "ip route show table 220; ip route show table 221 2>/dev/null || true",
    ]);
    const rules = await edge.host.output(["ip", "rule"]);
    return { tables, rules: rules.split("\n").filter((rule) => Number.parseInt(rule, 10) < 32_766) };
  };
  const before = await ours();
  peer.want(peer.connection(edge, { remoteAddresses: [] }));
  edge.want(edge.connection(peer));
  await edge.up(peer);
  expect(await ours()).toEqual(before);
  // The node's own packets to the peer's address are none of the tunnel's.
  expect(await edge.host.output(["ip", "route", "get", "192.168.1.2"])).toContain("dev eth0");
  await edge.charon.stop();
  expect(await ours()).toEqual(before);
  await edge.charon.start();
  expect(await ours()).toEqual(before);
  await edge.up(peer);
}, 30_000);

test("links that are ignored are no way to a peer, and their addresses will do for selectors", async () => {
  await edge.host.ip(
    "address del 10.1.0.1/32 dev lo",
    "link add br-fabedge type bridge",
    "address add 10.1.0.1/24 dev br-fabedge",
    "link set br-fabedge up",
  );
  const config = formatCharonConfig({ ...FACTS, ignoredLinks: ["br-fabedge"] });
  await edge.charon.stop();
  await edge.charon.configure(config);
  await edge.charon.start();
  await waitFor("the tunnel", async () => (await edge.charon.swanctl("--list-sas")).match(/INSTALLED/g)?.length === 3);
  // MOBIKE would tell the peer of every address that is not ignored (RFC 4555 section 3.3).
  expect(edge.charon.log).toContain("N(NO_ADD_ADDR)");
  expect(edge.charon.log).not.toContain("N(ADD_4_ADDR)");
}, 30_000);

test("a peer that does not answer is given up after 13 to 17 seconds, and that is the reason", async () => {
  edge.want(edge.connection(peer, NOBODY));
  await edge.keeper.drop("paris.e2");
  const begun = performance.now();
  await waitFor("the end of the try", () => reason() === "giving up after 7 retransmits", { timeout: seconds(30) });
  expect(performance.now() - begun).toBeWithin(seconds(13), seconds(20));
}, 40_000);

test("settings are read again without a restart", async () => {
  await edge.charon.configure(formatCharonConfig(FACTS).replace("retransmit_tries = 7", "retransmit_tries = 1"));
  const session = await ViciSession.open(edge.charon.socket, new SystemClock(), () => {});
  await new CharonCommands(session).reloadSettings();
  session.close();
  edge.want(edge.connection(peer, NOBODY));
  await waitFor("the end of another try", () => reason() === "giving up after 1 retransmits", { timeout: seconds(30) });
}, 40_000);
