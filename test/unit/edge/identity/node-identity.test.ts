import { describe, expect, test } from "bun:test";
import type { FoundFiles } from "../../../../edge/identity/identity-files.ts";
import { NodeIdentity } from "../../../../edge/identity/node-identity.ts";
import { minutes } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { parseNodeConfig } from "../../../../src/kube/objects/node-config.ts";
import type { FabricIdentity } from "../../../../src/network/fabric-identity.ts";
import type { NodeConfig } from "../../../../src/network/node-config.ts";
import { formatNodeConfig } from "../../../../src/network/node-config-text.ts";
import type { ObjectChange } from "../../../../src/network/object-change.ts";
import { ISSUED, LIFE, makeAuthority, makeCredentials } from "../../../support/node-credentials.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const AUTHORITY = makeAuthority();
const NAME = "paris.e1";
const SECRET = makeCredentials(AUTHORITY, NAME);
const DOCUMENTS = { configMap: "fabedge/fabedge-agent-config-e1", secret: "fabedge/fabedge-agent-tls-e1" };
const NO_FILES: FoundFiles = { config: undefined, offers: [], nodeKey: undefined };

function config(...peers: readonly string[]): NodeConfig {
  const others = peers.map((peer) => makeConnectorEndpoint(peer));
  return { endpoint: makeEdgeEndpoint(NAME), peers: others, mediator: undefined, peerShards: 0 };
}

const configMap = (value: NodeConfig | undefined, key = DOCUMENTS.configMap): ObjectChange => ({
  kind: "ConfigMap",
  key,
  value: value && { config: value, settings: undefined },
});
const secret = (value = SECRET): ObjectChange => ({ kind: "Secret", key: DOCUMENTS.secret, value });

/** One whose files are a variable. */
function make({ mounted = false, wall = ISSUED } = {}) {
  const clock = new SteppedClock(wall);
  const scope = new Scope();
  const health = new Health(
    () => clock.wall(),
    () => undefined,
  );
  const told: FabricIdentity[] = [];
  const files = { found: NO_FILES as FoundFiles | Error, changed: () => {} };
  const identity = new NodeIdentity({
    documents: mounted ? undefined : DOCUMENTS,
    files: {
      configPath: mounted ? "/etc/fabedge/tunnels.yaml" : undefined,
      read: () => {
        if (files.found instanceof Error) throw files.found;
        return files.found;
      },
      watch: (onChange) => {
        files.changed = onChange;
      },
    },
    parseConfig: parseNodeConfig,
    health,
    clock,
  });
  const start = () => identity.start((one) => told.push(one), scope);
  const put = (found: FoundFiles | Error) => {
    files.found = found;
    files.changed();
  };
  return { identity, told, start, put, clock, scope, codes: () => health.list().map(({ code }) => code), health };
}

describe("what the cloud says", () => {
  test("is told once when the node starts, and then when it changes", () => {
    const { identity, told, start, codes } = make();
    identity.take([configMap(config("paris.connector")), secret()]);
    expect(told).toEqual([]);
    start();
    expect(told).toHaveLength(1);
    expect(told[0]?.credentials?.certificates).toEqual([SECRET.certificates]);
    identity.take([configMap(config("paris.connector")), secret()]);
    expect(told).toHaveLength(1);
    identity.take([configMap(config("paris.connector", "lyon.connector"))]);
    expect(told.map(({ config }) => config.peers.length)).toEqual([1, 2]);
    expect(codes()).toEqual([]);
  });

  test("about other nodes and other things is not this node's", () => {
    const { identity, told, start } = make();
    identity.take([
      configMap(config(), "fabedge/connector-config"),
      configMap(config(), "other/fabedge-agent-config-e1"),
      { kind: "Node", key: "e1", value: undefined },
    ]);
    start();
    expect(told).toEqual([]);
  });

  test("comes in two, and what must not leave in clear is known before the credentials are", () => {
    const { identity, told, start, codes } = make();
    start();
    identity.take([configMap(config("paris.connector"))]);
    expect(told.map(({ credentials }) => credentials)).toEqual([undefined]);
    expect(codes()).toEqual(["CREDENTIALS_MISSING"]);
    identity.take([secret()]);
    expect(told).toHaveLength(2);
    expect(codes()).toEqual([]);
  });

  test("stays when it is taken away, with a word about it until it is back", () => {
    const { identity, told, start, codes } = make();
    identity.take([configMap(config("paris.connector")), secret()]);
    start();
    identity.take([configMap(undefined), { kind: "Secret", key: DOCUMENTS.secret, value: undefined }]);
    expect(told).toHaveLength(1);
    expect(identity.current?.credentials).toBeDefined();
    expect(codes()).toEqual(["CREDENTIALS_UNUSABLE", "NODE_CONFIG_GONE"]);
    identity.take([configMap(config("paris.connector")), secret()]);
    expect(told).toHaveLength(1);
    expect(codes()).toEqual([]);
  });

  test("is told anew when the certificate is renewed", () => {
    const { identity, told, start } = make();
    identity.take([configMap(config()), secret()]);
    start();
    const renewed = makeCredentials(AUTHORITY, NAME);
    identity.take([secret(renewed)]);
    expect(told.map(({ credentials }) => credentials?.certificates)).toEqual([
      [SECRET.certificates],
      [renewed.certificates],
    ]);
  });
});

describe("a certificate that comes to its end", () => {
  test("is an alarm and nothing else, and a renewal ends it", async () => {
    const { identity, told, start, codes, clock } = make({ wall: LIFE.notAfter - minutes(2) });
    identity.take([configMap(config()), secret()]);
    start();
    expect(codes()).toEqual(["CERTIFICATE_ENDING"]);
    await clock.advance(minutes(3));
    expect(codes()).toEqual(["CERTIFICATE_ENDED"]);
    expect(told).toHaveLength(1);
    const validity = { notBefore: LIFE.notAfter, notAfter: LIFE.notAfter + minutes(60 * 24 * 90) };
    identity.take([secret(makeCredentials(AUTHORITY, NAME, { validity }))]);
    expect(codes()).toEqual([]);
  });

  test("leaves one timer, which ends with its scope", async () => {
    const { start, clock, scope } = make();
    start();
    await clock.advance(minutes(5));
    expect(clock.pending).toBe(1);
    await scope.close();
    expect(clock.pending).toBe(0);
  });
});

describe("mounted files", () => {
  const mounted = (text: string | undefined, over: Partial<FoundFiles> = {}): FoundFiles => ({
    config: text,
    offers: [{ from: "/etc/ipsec.d/certs/tls.crt", texts: SECRET }],
    nodeKey: undefined,
    ...over,
  });
  const text = formatNodeConfig(config("paris.connector"));

  test("are an identity", () => {
    const { told, start, put, codes } = make({ mounted: true });
    start();
    expect(codes()).toEqual(["NODE_CONFIG_UNREADABLE"]);
    put(mounted(text));
    expect(told.map(({ config }) => config)).toEqual([config("paris.connector")]);
    expect(codes()).toEqual([]);
  });

  test.each([
    ["gone", undefined, "there is no such file"],
    ["empty", "", "missing"],
    ["half", text.slice(0, text.indexOf("peers:") + 12), ""],
    ["nonsense", "\t{", "not YAML"],
  ] as const)("that are %s leave what was read last", (_what, broken, why) => {
    const { told, start, put, codes, health } = make({ mounted: true });
    start();
    put(mounted(text));
    put(mounted(broken));
    expect(told).toHaveLength(1);
    expect(codes()).toEqual(["NODE_CONFIG_UNREADABLE"]);
    expect(health.list()[0]?.message).toContain(`/etc/fabedge/tunnels.yaml: `);
    expect(health.list()[0]?.message).toContain(why);
    put(mounted(text));
    expect(codes()).toEqual([]);
  });

  test("that cannot be read at all are a condition until they can be", () => {
    const { told, start, put, codes } = make({ mounted: true });
    start();
    put(mounted(text));
    put(Object.assign(new Error("EIO: i/o error"), { code: "EIO" }));
    expect(codes()).toEqual(["NODE_CONFIG_UNREADABLE"]);
    put(mounted(text));
    expect(codes()).toEqual([]);
    expect(told).toHaveLength(1);
  });
});
