import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hours, minutes, seconds } from "../../src/base/duration.ts";
import type { Charon } from "../lab/charon.ts";
import { CharonCertificates, type NodeCertificate } from "../lab/charon-certificates.ts";
import type { CloudNode, EdgeNode } from "../lab/fabric/network.ts";
import type { PlainConnector } from "../lab/plain-connector.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { AGENT, conditionOf, selvedge } from "../support/edge-world.ts";
import { SteadyPing } from "../support/steady-ping.ts";
import { CONNECTOR, TunnelWorld, tunnelsOf, tunnelUp } from "../support/tunnel-world.ts";

const NAME = "paris.e1";
const KEY = "/etc/ipsec.d/private/tls.key";

let world: TunnelWorld;
let e1: EdgeNode;
let c1: CloudNode;
let connector: PlainConnector;
let charon: Charon;
let agent: LabProcess;
/** Whom both ends believe. */
let authority: CharonCertificates;

beforeAll(async () => {
  world = await TunnelWorld.create({ edges: 1 });
  [e1, c1] = [world.edge(1), world.cloud(1)];
  authority = world.certificates;
  connector = await world.startConnector(c1);
  ({ charon, agent } = await world.startEdge(e1, [world.connectorEndpoint(c1)]));
  await tunnelUp(e1, CONNECTOR);
}, seconds(120));
afterAll(() => world?.[Symbol.asyncDispose]());

/** As a mounted Secret would have it. */
async function install({ certificate, privateKey }: NodeCertificate, ...authorities: readonly string[]): Promise<void> {
  await e1.host.writeFile("/etc/ipsec.d/cacerts/ca.crt", authorities.join(""));
  await e1.host.writeFile(KEY, privateKey, "0600");
  await e1.host.writeFile("/etc/ipsec.d/certs/tls.crt", certificate);
}

const told = (code: string) => waitFor(code, () => conditionOf(e1.host, code), { timeout: seconds(20) });
const untold = (code: string) => waitFor(`no ${code}`, async () => (await conditionOf(e1.host, code)) === undefined);

/** What carries packets now. */
async function associations(): Promise<readonly (number | undefined)[]> {
  return (await tunnelsOf(e1)).map(({ ike }) => ike?.uniqueId);
}

/** Nothing is lost and no SA is touched while it happens. */
async function carriesOn(during: () => Promise<unknown>): Promise<void> {
  const before = await associations();
  const ping = await SteadyPing.start(e1.pod, c1.podAddresses[0]);
  await during();
  expect(await ping.stop()).toMatchObject({ lost: 0 });
  expect(await associations()).toEqual(before);
}

/** The other end takes what is in use now: a new IKE_SA proves it. */
async function negotiatesAnew(): Promise<void> {
  const [before] = await associations();
  await charon.swanctl("--terminate", "--ike", CONNECTOR);
  await waitFor("another IKE_SA", async () => {
    const { ike, state } = (await tunnelsOf(e1))[0] ?? {};
    return state === "up" && ike?.uniqueId !== before;
  });
}

describe("a certificate that has ended", () => {
  test(
    "is an alarm; the tunnel carries on, no packet is lost, and a new one ends the alarm",
    async () => {
      const ended = authority.issue(NAME, { notAfter: Date.now() - minutes(1) });
      await carriesOn(async () => {
        await install(ended, authority.authority);
        expect(await told("CERTIFICATE_ENDED")).toMatchObject({ component: "identity", severity: "degraded" });
        expect((await selvedge(e1.host, "check")).code).toBe(3);
        await install(authority.issue(NAME), authority.authority);
        await untold("CERTIFICATE_ENDED");
      });
      await negotiatesAnew();
    },
    seconds(60),
  );

  test(
    "or is about to, is told of before",
    async () => {
      const now = Date.now();
      await install(
        authority.issue(NAME, { notBefore: now - hours(2), notAfter: now + minutes(5) }),
        authority.authority,
      );
      expect((await told("CERTIFICATE_ENDING")).message).toMatch(/^Cannot go on for longer than [45]m\d+s as /);
      await install(authority.issue(NAME), authority.authority);
      await untold("CERTIFICATE_ENDING");
    },
    seconds(60),
  );
});

describe("an authority that another one replaces", () => {
  test(
    "overlaps with it at both ends, and costs no packet at any step",
    async () => {
      const next = new CharonCertificates("Fabedge CA 2");
      const both = [next.authority, authority.authority];
      const trust = async (name: string, text: string) => {
        await connector.host.writeFile(`/etc/swanctl/x509ca/${name}.pem`, text);
        await connector.charon.swanctl("--load-creds", "--clear");
      };
      await carriesOn(async () => {
        await trust("next", next.authority);
        await install(next.issue(NAME), ...both);
        await waitFor("the new authority in charon", async () =>
          (await charon.swanctl("--list-authorities")).includes("CN=Fabedge CA 2"),
        );
      });
      await negotiatesAnew();
      const own = next.issue(CONNECTOR);
      await connector.host.writeFile("/etc/swanctl/x509/own.pem", own.certificate);
      await connector.host.writeFile("/etc/swanctl/private/own.pem", own.privateKey, "0600");
      await carriesOn(async () => {
        await trust("ca", next.authority);
        await connector.charon.swanctl("--load-conns");
        await install(next.issue(NAME), next.authority);
        await waitFor("the old authority gone from charon", async () => {
          const known = await charon.swanctl("--list-authorities");
          return known.includes("CN=Fabedge CA 2") && !/CN=Fabedge CA$/m.test(known);
        });
      });
      await negotiatesAnew();
      authority = next;
    },
    seconds(90),
  );
});

test(
  "a clock that lost its battery takes nothing away, and is told of until it is right",
  async () => {
    // libfaketime puts another time of day under the one program that it is loaded into.
    const fake = "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME_DONT_FAKE_MONOTONIC=1";
    const program = "/etc/selvedge/agent-of-1996";
    await e1.host.writeFile(program, `#!/bin/sh\nexec env ${fake} FAKETIME=-30y ${AGENT} "$@"\n`, "0755");
    await carriesOn(async () => {
      await agent.kill();
      agent = await world.startAgent(e1, { program });
      expect((await told("CLOCK_BEHIND")).message).toContain("its certificate was made at");
      expect(await conditionOf(e1.host, "CERTIFICATE_ENDED")).toBeUndefined();
      await tunnelUp(e1, CONNECTOR);
      await agent.kill();
      agent = await world.startAgent(e1);
      await tunnelUp(e1, CONNECTOR);
      await untold("CLOCK_BEHIND");
    });
  },
  seconds(60),
);

describe("a key", () => {
  test(
    "that is missing, or another's, leaves the one in use",
    async () => {
      await carriesOn(async () => {
        await e1.host.output(["rm", KEY]);
        expect((await told("CREDENTIALS_UNUSABLE")).message).toContain("tls.key: neither there nor on this node");
        await e1.host.writeFile(KEY, authority.issue(NAME).privateKey, "0600");
        await waitFor("the other reason", async () =>
          (await conditionOf(e1.host, "CREDENTIALS_UNUSABLE"))?.message.includes("not the key of the certificate"),
        );
      });
    },
    seconds(60),
  );

  test(
    "that is missing when the agent starts leaves the tunnel that charon has, and one that comes is taken",
    async () => {
      await carriesOn(async () => {
        await e1.host.output(["rm", "-f", KEY]);
        await agent.kill();
        agent = await world.startAgent(e1);
        await told("CREDENTIALS_MISSING");
      });
      await install(authority.issue(NAME), authority.authority);
      await untold("CREDENTIALS_MISSING");
      await negotiatesAnew();
    },
    seconds(60),
  );

  test("is in nothing that anybody is shown", async () => {
    const said = await Promise.all(
      ["status -o json", "tunnels -o json", "peers -o yaml", "check"].map((words) => selvedge(e1.host, words)),
    );
    const all = [agent.log, charon.log, ...said.map(({ stdout, stderr }) => stdout + stderr)].join("\n");
    expect(all).not.toContain("PRIVATE KEY");
    expect(all).toContain("agent.ready");
  });
});
