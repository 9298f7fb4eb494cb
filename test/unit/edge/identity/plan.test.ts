import { describe, expect, test } from "bun:test";
import { type IdentityState, planIdentity } from "../../../../edge/identity/plan.ts";
import { SecretText } from "../../../../src/base/secret-text.ts";
import { PrivateKey } from "../../../../src/certificate/private-key.ts";
import type { CertificateTexts } from "../../../../src/network/fabric-identity.ts";
import type { NodeConfig } from "../../../../src/network/node-config.ts";
import type { TunnelEndpoint } from "../../../../src/network/tunnel-endpoint.ts";
import { ISSUED, makeAuthority, makeCredentials } from "../../../support/node-credentials.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const NAME = "paris.e1";
const AUTHORITY = makeAuthority();
const SECRET = makeCredentials(AUTHORITY, NAME);

function config(...peers: readonly TunnelEndpoint[]): NodeConfig {
  return { endpoint: makeEdgeEndpoint(NAME), peers, mediator: undefined, peerShards: 0 };
}

const offer = (texts: CertificateTexts, from = "Secret fabedge/fabedge-agent-tls-e1") => ({ from, texts });
const state = (over: Partial<IdentityState> = {}): IdentityState => ({
  config: config(),
  offers: [offer(SECRET)],
  nodeKey: undefined,
  inUse: undefined,
  wall: ISSUED,
  ...over,
});
const codes = (over: Partial<IdentityState>) => planIdentity(state(over)).findings.map(({ code }) => code);
const messages = (over: Partial<IdentityState>) => planIdentity(state(over)).findings.map(({ message }) => message);

describe("an identity", () => {
  test("is configuration and credentials that fit", () => {
    const { identity, findings } = planIdentity(state());
    expect(findings).toEqual([]);
    expect(identity?.credentials?.certificates).toEqual([SECRET.certificates]);
    expect(identity?.credentials?.key.reveal()).toBe(SECRET.key.reveal());
    expect(identity?.credentials?.authorities).toEqual([AUTHORITY.certificate]);
  });

  test("is none before anything was heard, whatever key there is", () => {
    expect(planIdentity(state({ config: undefined })).identity).toBeUndefined();
    expect(codes({ config: undefined })).toEqual([]);
  });

  test("has no credentials before there are any, and says so", () => {
    const { identity } = planIdentity(state({ offers: [] }));
    expect(identity).toEqual({ config: config(), credentials: undefined });
    expect(messages({ offers: [] })).toEqual([
      'Cannot prove to be "C=CN, O=fabedge.io, CN=paris.e1", so that there are no tunnels: there is no certificate',
    ]);
  });

  test("takes the key that the node has made itself", () => {
    const texts = { ...SECRET, key: undefined };
    const { identity, findings } = planIdentity(state({ offers: [offer(texts)], nodeKey: SECRET.key }));
    expect(findings).toEqual([]);
    expect(identity?.credentials?.key.reveal()).toBe(SECRET.key.reveal());
    expect(messages({ offers: [offer(texts)] })[0]).toEndWith("tls.key: neither there nor on this node");
  });

  test("believes both authorities while one takes the other's place", () => {
    const next = makeAuthority("Fabedge CA 2");
    const renewed = makeCredentials(next, NAME, { authorities: [next, AUTHORITY] });
    const before = planIdentity(state());
    const { identity, findings } = planIdentity(state({ offers: [offer(renewed)], inUse: before.inUse }));
    expect(findings).toEqual([]);
    expect(identity?.credentials?.authorities).toEqual([next.certificate, AUTHORITY.certificate]);
    expect(identity?.credentials?.certificates).toEqual([renewed.certificates]);
  });
});

describe("what is broken never takes the place of what is in use", () => {
  const inUse = planIdentity(state()).inUse;
  const other = makeCredentials(AUTHORITY, NAME, { key: PrivateKey.generate() });
  const cases: readonly (readonly [what: string, texts: CertificateTexts, why: string])[] = [
    ["another key", { ...SECRET, key: other.key }, "tls.key: not the key of the certificate"],
    [
      "half a key",
      { ...SECRET, key: new SecretText(SECRET.key.reveal().slice(0, 80)) },
      "tls.key: neither a P-256 nor an RSA key in PEM",
    ],
    ["half a certificate", { ...SECRET, certificates: "-----BEGIN CERTIFICATE-----\nMIIB" }, "tls.crt: there is no"],
    ["no authority", { ...SECRET, authorities: "" }, "ca.crt: there is no BEGIN CERTIFICATE"],
    [
      "a stranger's authority",
      { ...SECRET, authorities: makeAuthority().certificate },
      "ca.crt: none of the authorities has signed the certificate",
    ],
    [
      "another node's certificate",
      makeCredentials(AUTHORITY, "paris.e2"),
      'the certificate of "C=CN, O=fabedge.io, CN=paris.e2", and this node is "C=CN, O=fabedge.io, CN=paris.e1"',
    ],
  ];

  test.each(cases)("%s", (_what, texts, why) => {
    const plan = planIdentity(state({ offers: [offer(texts)], inUse }));
    expect(plan.identity?.credentials).toEqual(planIdentity(state()).identity?.credentials);
    expect(plan.findings.map(({ code }) => code)).toEqual(["CREDENTIALS_UNUSABLE"]);
    expect(plan.findings[0]?.message).toContain(why);
    expect(codes({ offers: [offer(texts)] })).toEqual(["CREDENTIALS_MISSING"]);
  });

  test("and neither does nothing", () => {
    const plan = planIdentity(state({ offers: [], inUse }));
    expect(plan.inUse).toBe(inUse);
    expect(plan.findings[0]?.message).toEndWith("they are gone");
  });

  test("unless the node has got another name", () => {
    const renamed = { ...config(), endpoint: makeEdgeEndpoint("lyon.e1") };
    const plan = planIdentity(state({ config: renamed, inUse }));
    expect(plan.identity?.credentials).toBeUndefined();
    expect(plan.findings.map(({ code }) => code)).toEqual(["CREDENTIALS_MISSING"]);
  });

  test("and what the node got when it joined is next", () => {
    const joined = makeCredentials(AUTHORITY, NAME);
    const offers = [offer({ ...SECRET, key: undefined }), offer(joined, "/etc/selvedge/tls/tls.crt")];
    const plan = planIdentity(state({ offers, nodeKey: joined.key }));
    expect(plan.identity?.credentials?.certificates).toEqual([joined.certificates]);
    expect(plan.findings.map(({ code }) => code)).toEqual(["CREDENTIALS_UNUSABLE"]);
  });
});

describe("peers", () => {
  test("without an identity, or with a name that is taken, are left out and told of", () => {
    const anybody = { ...makeEdgeEndpoint("paris.e2"), id: "" };
    const twice = makeEdgeEndpoint("paris.connector", { publicAddresses: ["192.0.2.9"] });
    const good = makeConnectorEndpoint("paris.connector");
    const peers = [good, anybody, twice, makeEdgeEndpoint(NAME), makeEdgeEndpoint("paris.e3")];
    const plan = planIdentity(state({ config: config(...peers) }));
    expect(plan.identity?.config.peers).toEqual([good, makeEdgeEndpoint("paris.e3")]);
    expect(plan.findings.map(({ message }) => message)).toEqual([
      'Cannot reach 3 of 5 peers as they have no identity or another one\'s name: the first is "paris.e2"',
    ]);
  });
});
