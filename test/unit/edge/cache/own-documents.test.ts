import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../../../src/base/duration.ts";
import type { LogRecord } from "../../../../src/base/log.ts";
import { judgeTexts } from "../../../../src/certificate/fabric-credentials.ts";
import { formatNodeConfig } from "../../../../src/network/node-config-text.ts";
import type { ObjectChange } from "../../../../src/network/object-change.ts";
import { CacheLife, listsOf } from "../../../support/cache-life.ts";
import { type MadeCredentials, makeAuthority, makeCredentials } from "../../../support/node-credentials.ts";
import { makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const CONFIG = { endpoint: makeEdgeEndpoint("paris.e1"), peers: [], mediator: undefined, peerShards: 0 };
const SETTINGS = 'log-level: "5"\n';
const SECRET = makeCredentials(makeAuthority(), "paris.e1");
const [CONFIG_MAPS, SECRETS] = ["/api/v1/namespaces/fabedge/configmaps", "/api/v1/namespaces/fabedge/secrets"];

let folder: string;
/** By path; a number is a refusal. */
let answers: Record<string, readonly object[] | number>;
let asked: string[];
let logged: LogRecord[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "selvedge-documents-"));
  answers = { [CONFIG_MAPS]: [configMap(formatNodeConfig(CONFIG))], [SECRETS]: [secret(SECRET)] };
  asked = [];
  logged = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function configMap(text: string) {
  const metadata = { namespace: "fabedge", name: "fabedge-agent-config-e1", uid: "c", resourceVersion: "5" };
  return { metadata, data: { "tunnels.yaml": text, "config.yaml": SETTINGS } };
}

function secret({ certificates, key, authorities }: MadeCredentials, privateKey = key.reveal()) {
  const metadata = { namespace: "fabedge", name: "fabedge-agent-tls-e1", uid: "s", resourceVersion: "6" };
  const data = { "tls.crt": btoa(certificates), "tls.key": btoa(privateKey), "ca.crt": btoa(authorities) };
  return { metadata, type: "kubernetes.io/tls", data };
}

const source = listsOf((path, fieldSelector) => {
  asked.push(`${path} ${fieldSelector}`.trim());
  const items = answers[path] ?? [];
  return typeof items === "number" ? items : { metadata: { resourceVersion: "9" }, items };
});

const DOCUMENTS = {
  namespace: "fabedge",
  configMap: "fabedge-agent-config-e1",
  secret: "fabedge-agent-tls-e1",
  judgeSecret: judgeTexts,
};

/** One run of the cache, against the answers of the moment. @returns what it loaded, what came, and what there is to tell */
async function run({ online = true } = {}) {
  const life = new CacheLife(folder, DOCUMENTS);
  if (online) {
    life.follow("api-server", source);
    await life.advance(seconds(2));
  }
  const status = life.cache.status();
  const told = life.told();
  await life.close();
  logged.push(...life.logged);
  const { loaded, came, trusted } = life;
  const conditions = told.map(({ code, severity }) => `${severity} ${code}`);
  return { loaded, came, trusted, status, conditions, messages: told.map(({ message }) => message) };
}

const keysOf = (changes: readonly ObjectChange[]) =>
  changes.flatMap(({ kind, value }) => (kind !== "Secret" ? [] : [value?.key?.reveal()]));

test("are asked for by their names alone, in the operator's namespace", async () => {
  const { came, conditions, trusted } = await run();
  expect(asked.filter((path) => path.includes("/namespaces/fabedge/"))).toEqual([
    `${CONFIG_MAPS} metadata.name=fabedge-agent-config-e1`,
    `${SECRETS} metadata.name=fabedge-agent-tls-e1`,
  ]);
  expect(came.find(({ kind }) => kind === "ConfigMap")?.value).toEqual({ config: CONFIG, settings: SETTINGS });
  expect(keysOf(came)).toEqual([SECRET.key.reveal()]);
  expect(conditions).toEqual([]);
  expect(trusted).toBe(true);
});

test("outlive a restart without the cloud", async () => {
  await run();
  const { loaded } = await run({ online: false });
  expect(loaded.find(({ kind }) => kind === "ConfigMap")?.value).toEqual({ config: CONFIG, settings: SETTINGS });
  expect(keysOf(loaded)).toEqual([SECRET.key.reveal()]);
});

test("that are broken leave the last good ones, on disk as well, and are told of without the key", async () => {
  await run();
  const other = makeCredentials(makeAuthority(), "paris.e1");
  answers[SECRETS] = [secret(SECRET, other.key.reveal())];
  answers[CONFIG_MAPS] = [configMap("peers: {")];
  const { came, conditions, messages } = await run();
  expect(came).toEqual([]);
  expect(conditions).toEqual(["degraded OBJECTS_REJECTED"]);
  expect(messages[0]).toContain("Cannot read 2 objects; the first is ConfigMap fabedge/fabedge-agent-config-e1");
  answers[CONFIG_MAPS] = [configMap(formatNodeConfig(CONFIG))];
  const again = await run();
  expect(again.messages).toEqual([
    "Cannot read 1 objects; the first is Secret fabedge/fabedge-agent-tls-e1: tls.key: not the key of the certificate",
  ]);
  expect(keysOf((await run({ online: false })).loaded)).toEqual([SECRET.key.reveal()]);
  expect(JSON.stringify([logged, messages, again.messages])).not.toContain("PRIVATE KEY");
});

test("that are refused hold nothing up, and do not count for the source", async () => {
  answers[CONFIG_MAPS] = 403;
  answers[SECRETS] = 403;
  const { trusted, conditions, status } = await run();
  expect(trusted).toBe(true);
  expect(status.connected).toBe(true);
  expect(conditions).toEqual(["info NODE_DOCUMENTS_WITHHELD"]);
});

test("that are only a connector's, in pieces, are none of a node's", async () => {
  answers[CONFIG_MAPS] = [configMap(`${formatNodeConfig(CONFIG)}peerShards: 32\n`)];
  expect((await run()).messages[0]).toEndWith("tunnels.yaml: peerShards: 32, as only connectors have");
});
