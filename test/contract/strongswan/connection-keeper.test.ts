import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../../src/base/duration.ts";
import { type Ip, makePrefix, type Prefix } from "../../../src/base/ip.ts";
import type { TunnelChild } from "../../../src/network/tunnel-connection.ts";
import type { CharonCredentials, TunnelState } from "../../../src/strongswan/tunnel-state.ts";
import { CharonCertificates, type NodeCertificate } from "../../lab/charon-certificates.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { type CharonNode, CharonWorld } from "../../support/charon-world.ts";
import { SteadyPing } from "../../support/steady-ping.ts";

let world: CharonWorld;
let edge: CharonNode;
let peer: CharonNode;
let other: CharonNode;

beforeAll(async () => {
  world = await CharonWorld.create();
  edge = await world.node("e1");
  peer = await world.node("e2");
  other = await world.node("e3");
  for (const one of [edge, peer, other]) {
    await one.route(...[edge, peer, other].filter((it) => it !== one).flatMap((it) => it.endpoint.subnets));
  }
}, 30_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  for (const node of [edge, peer, other]) {
    node.credentials = own(node);
    node.want();
  }
  for (const node of [edge, peer, other]) await waitFor("no SA left", async () => (await sas(node)) === "");
});

const sas = (node: CharonNode) => node.charon.swanctl("--list-sas").then((text) => text.trim());
const own = ({ certificate }: CharonNode) => credentialsOf(certificate, [world.certificates.authority]);
const waiting = { remoteAddresses: [] };

/** Fifty packets a second, from the edge's pod's address to the peer's, until it is stopped; then how many were lost. */
async function startPing(): Promise<{ lost(): Promise<number> }> {
  const ping = await SteadyPing.start(edge.host, peer.podAddress);
  return { lost: async () => (await ping.stop()).lost };
}

/**
 * That the edge's pods had a child in every state that was told since. A packet may be lost all the same: charon, when it
 * answers IKE_AUTH or CREATE_CHILD_SA, uses the new SA at once, before the other end has its answer.
 */
function expectNeverWithout(told: readonly TunnelState[]): void {
  expect(told.length).toBeGreaterThan(0);
  for (const { installedChildren } of told) expect(installedChildren).toContain("paris.e2-p2p");
}

describe("a tunnel", () => {
  test("comes up with all its children, carries packets, and swanctl shows what its state says", async () => {
    peer.want(peer.connection(edge, waiting));
    edge.want(edge.connection(peer));
    const state = await edge.up(peer);
    await peer.up(edge);
    expect(state.installedChildren).toEqual(["paris.e2-p2p", "paris.e2-n2p", "paris.e2-p2n"]);
    const ping = ["ping", "-c1", "-W2", "-I", edge.podAddress, peer.podAddress];
    await edge.host.output(ping);

    const [association] = await edge.keeper.associations("paris.e2");
    const shown = await sas(edge);
    expect(shown).toContain(`paris.e2: #${association?.uniqueId}, ESTABLISHED, IKEv2, ${association?.initiatorSpi}_i*`);
    expect(shown).toContain(`${association?.responderSpi}_r`);
    expect(shown).toContain(`local  '${association?.localId}' @ ${association?.localHost}[${association?.localPort}]`);
    expect(shown).toContain(
      `remote '${association?.remoteId}' @ ${association?.remoteHost}[${association?.remotePort}]`,
    );
    expect(association?.children).toHaveLength(3);
    for (const child of association?.children ?? []) {
      expect(shown).toContain(`${child.name}: #${child.uniqueId}, reqid`);
      expect(shown).toMatch(new RegExp(`in +${child.spiIn}, +${child.bytesIn} bytes, +${child.packetsIn} packets`));
      expect(shown).toMatch(new RegExp(`out +${child.spiOut}, +${child.bytesOut} bytes, +${child.packetsOut} packets`));
      expect(shown).toContain(`local  ${child.localSelectors.join(" ")}\n`);
      expect(shown).toContain(`remote ${child.remoteSelectors.join(" ")}`);
    }
    expect(association?.children.find(({ name }) => name === "paris.e2-p2p")?.packetsOut).toBe(1);
  });

  test("that nobody wants any more goes at both ends, connection and SAs, and its listener hears of it", async () => {
    peer.want(peer.connection(edge, waiting));
    edge.want(edge.connection(peer));
    await edge.up(peer);
    edge.want();
    await waitFor("the end", () => edge.gone.at(-1) === "paris.e2");
    expect(await sas(edge)).toBe("");
    expect(await edge.charon.swanctl("--list-conns")).not.toContain("paris.e2");
    await waitFor("the peer's end", () => peer.keeper.tunnel("paris.e1")?.phase === "waiting");
  });

  test("that the peer refuses says why, and comes up when the peer has changed its mind", async () => {
    edge.want(edge.connection(peer));
    await waitFor(
      "a reason",
      () => edge.keeper.tunnel("paris.e2")?.failure?.text === "received NO_PROPOSAL_CHOSEN notify error",
    );
    peer.want(peer.connection(edge, waiting));
    expect((await edge.up(peer)).failure).toBeUndefined();
  });

  test("comes up at another address of the peer's when somebody else is at the first", async () => {
    peer.want(peer.connection(edge, waiting));
    other.want();
    edge.want(edge.connection(peer, { remoteAddresses: ["192.168.1.3", "192.168.1.2"] }));
    expect((await edge.up(peer)).associations.map(({ remoteHost }) => remoteHost as string)).toEqual(["192.168.1.2"]);
  });

  test("comes up with a peer behind a router, which comes from another address than it is known by", async () => {
    const nobody = { remoteAddresses: ["192.168.1.250"] };
    peer.want(peer.connection(edge, nobody));
    edge.want(edge.connection(peer));
    await edge.up(peer);
    expect((await peer.up(edge)).associations.find(({ initiator }) => !initiator)?.remoteHost as string).toBe(
      "192.168.1.1",
    );
  });

  test("of a peer whose certificate is another authority's fails at both ends, in words", async () => {
    const stranger = new CharonCertificates("Another CA").issue("paris.e2");
    peer.credentials = credentialsOf(stranger, [world.certificates.authority]);
    peer.want(peer.connection(edge, waiting));
    edge.want(edge.connection(peer));
    const reason = () => edge.keeper.tunnel("paris.e2")?.failure?.text ?? "";
    await waitFor("a reason", () => /no issuer certificate found/.test(reason()));
  });

  test("that both ends begin at once is one in the end, and the same one at both", async () => {
    edge.want(edge.connection(peer));
    peer.want(peer.connection(edge));
    await edge.up(peer);
    await peer.up(edge);
    const spis = (node: CharonNode, to: CharonNode) =>
      (node.keeper.tunnel(to.endpoint.name)?.associations ?? []).map((sa) => sa.initiatorSpi).join();
    await waitFor("one and the same", () => edge.ikeIds(peer).length === 1 && spis(edge, peer) === spis(peer, edge));
  });
});

describe("an agent", () => {
  test("that starts again adopts what is there: the same SAs, no packet lost", async () => {
    peer.want(peer.connection(edge, waiting));
    edge.want(edge.connection(peer));
    await edge.up(peer);
    const before = await sas(edge);
    const ping = await startPing();
    await edge.stopKeeper();
    edge.want(edge.connection(peer));
    await edge.up(peer);
    await waitFor("some more packets", async () => (await edge.keeper.associations("paris.e2")).length === 1);
    expect(await ping.lost()).toBe(0);
    const identities = (text: string) => text.match(/#\d+|[0-9a-f]{8,16}(?=_i|_r|,)/g);
    expect(identities(await sas(edge))).toEqual(identities(before));
  });

  test("takes away what an earlier run left and nobody wants now", async () => {
    peer.want(peer.connection(edge, waiting));
    edge.want(edge.connection(peer));
    await edge.up(peer);
    await edge.stopKeeper();
    edge.want();
    await waitFor("an empty charon", async () => (await sas(edge)) === "");
    expect(await edge.charon.swanctl("--list-conns")).not.toContain("paris.e2");
  });

  test("leaves an administrator's connections alone, does not take their names, and has its own back when they are taken", async () => {
    const foreign = {
      remote_addrs: ["192.168.1.200"],
      local: { auth: "psk", id: "me" },
      remote: { auth: "psk", id: "you" },
      children: { net: { local_ts: ["10.1.0.0/24"], remote_ts: ["172.16.0.0/16"] } },
    };
    await edge.ask("load-conn", { office: foreign });
    await edge.ask("load-conn", { "paris.e2": foreign });
    edge.want(edge.connection(peer), edge.connection(other));
    const reason = () => edge.keeper.tunnel("paris.e2")?.failure?.text ?? "";
    await waitFor("a reason", () => reason() === "charon has a connection of that name that is not ours");
    const names = async () => (await edge.ask("get-conns")).list("conns");
    expect(await names()).toEqual(["office", "paris.e2", "paris.e3"]);

    // `swanctl --load-conns` takes away whatever its file does not name: ours, too.
    await edge.host.writeFile("/etc/swanctl/office.conf", `connections { office { remote_addrs = 192.168.1.201 } }`);
    await edge.charon.swanctl("--load-conns", "--file", "/etc/swanctl/office.conf");
    expect(await names()).toEqual(["office"]);
    await waitFor("its own", async () => (await names()).length === 3, { timeout: seconds(20) });
    expect(await edge.charon.swanctl("--list-conns")).toContain("remote: 192.168.1.201");
    await edge.ask("unload-conn", { name: "office" });
  }, 60_000);
});

describe("without losing a packet", () => {
  test("certificate and key are renewed: the old key is gone from charon, and new SAs use the new one", async () => {
    peer.want(peer.connection(edge, waiting));
    edge.want(edge.connection(peer));
    await edge.up(peer);
    const ping = await startPing();
    edge.credentials = credentialsOf(world.certificates.issue("paris.e1"), [world.certificates.authority]);
    edge.want(edge.connection(peer));
    await waitFor("the new certificate", async () => (await edge.keys()).length === 1);
    expect(await ping.lost()).toBe(0);
    await edge.keeper.drop("paris.e2");
    await edge.up(peer);
  });

  test("an authority takes over from another, and is then believed alone", async () => {
    const successor = new CharonCertificates("Fabedge CA 2");
    const both = [world.certificates.authority, successor.authority];
    const become = (node: CharonNode, certificate: NodeCertificate, authorities: readonly string[]) => {
      node.credentials = credentialsOf(certificate, authorities);
      node.want(node === edge ? edge.connection(peer) : peer.connection(edge, waiting));
    };
    become(peer, peer.certificate, [world.certificates.authority]);
    become(edge, edge.certificate, [world.certificates.authority]);
    await edge.up(peer);
    const ping = await startPing();
    become(peer, peer.certificate, both);
    become(edge, successor.issue("paris.e1"), both);
    await waitFor("both authorities", async () => (await authorities(peer)).length === 2);
    become(peer, successor.issue("paris.e2"), [successor.authority]);
    become(edge, successor.issue("paris.e1"), [successor.authority]);
    await waitFor("the successor alone", async () =>
      /^C=CN, O=fabedge.io, CN=Fabedge CA 2$/.test((await authorities(peer)).join()),
    );
    expect(await ping.lost()).toBe(0);
    await edge.keeper.drop("paris.e2");
    await edge.up(peer);

    // Whoever comes with a certificate of the old one's is refused now.
    become(edge, edge.certificate, both);
    await waitFor("its own key alone", async () => (await edge.keys()).length === 1);
    await edge.keeper.drop("paris.e2");
    const reason = () => edge.keeper.tunnel("paris.e2")?.failure?.text;
    await waitFor("a refusal", () => reason() === "received AUTHENTICATION_FAILED notify error");
  });
});

describe("without a moment in between", () => {
  test("a tunnel moves to another address of the peer: made there before it goes here", async () => {
    await peer.host.ip("address add 192.168.1.102/24 dev eth0");
    peer.want(peer.connection(edge, waiting));
    edge.want(edge.connection(peer));
    await edge.up(peer);
    const [before] = edge.ikeIds(peer);
    edge.told.length = 0;
    edge.want(edge.connection(peer, { remoteAddresses: ["192.168.1.102"] }));
    edge.keeper.replace("paris.e2");
    await waitFor("the move", () => edge.ikeIds(peer).length === 1 && edge.ikeIds(peer)[0] !== before);
    expect(edge.keeper.tunnel("paris.e2")?.associations.at(0)?.remoteHost as string).toBe("192.168.1.102");
    expectNeverWithout(edge.told);
  });

  test("a child gets other selectors: the new one carries before the old one goes", async () => {
    peer.want(peer.connection(edge, waiting));
    edge.want(edge.connection(peer));
    await edge.up(peer);
    edge.told.length = 0;
    await edge.host.ip("address add 10.9.0.1/32 dev lo");
    const wider: readonly Prefix[] = [...edge.endpoint.subnets, makePrefix("10.9.0.0" as Ip, 24)];
    const widen = (children: readonly TunnelChild[], side: "local" | "remote") =>
      children.map((child) => (child.name.endsWith("-p2p") ? { ...child, [side]: wider } : child));
    // The peer hears of them too late: it narrows the new child, which charon then takes for the wanted one.
    edge.want(edge.connection(peer, { children: widen(edge.connection(peer).children, "local") }));
    await waitFor(
      "the narrowed child",
      async () => (await edge.charon.swanctl("--list-sas")).split("-p2p:").length > 2,
    );
    peer.want(peer.connection(edge, { ...waiting, children: widen(peer.connection(edge).children, "remote") }));
    await waitFor(
      "the wider child alone",
      async () => {
        const [sa] = await edge.keeper.associations("paris.e2");
        const p2p = sa?.children.filter(({ name, state }) => name === "paris.e2-p2p" && state === "INSTALLED") ?? [];
        return (
          sa?.uniqueId !== undefined &&
          p2p.length === 1 &&
          p2p[0]?.localSelectors.join(" ") === "10.1.0.0/24 10.9.0.0/24"
        );
      },
      { timeout: seconds(20) },
    );
    expectNeverWithout(edge.told);
  });
});

async function authorities(node: CharonNode): Promise<readonly string[]> {
  const listed = await node.charon.swanctl("--list-authorities");
  return [...listed.matchAll(/cacert: (.*)$/gm)].map((match) => match[1] ?? "");
}

function credentialsOf(
  { certificate, privateKey }: NodeCertificate,
  authorities: readonly string[],
): CharonCredentials {
  return { certificates: [certificate], privateKeys: [privateKey], authorities };
}
