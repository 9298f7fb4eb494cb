import { expect, test } from "bun:test";
import { cloudSettingsPlace } from "../../../../edge/config/cloud-settings-place.ts";
import { loadConfig } from "../../../../edge/config.ts";
import { CLOUD_SETTINGS_LENGTH_MAX, CloudSettings } from "../../../../edge/wiring/cloud-settings.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";
import { Log, type LogRecord } from "../../../../src/base/log.ts";
import { Scope } from "../../../../src/base/scope.ts";
import type { ObjectChange } from "../../../../src/network/object-change.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";
import { makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const KEY = "fabedge/fabedge-agent-config-e1";
const CONFIG = { endpoint: makeEdgeEndpoint("paris.e1"), peers: [], mediator: undefined, peerShards: 0 };
const says = (settings: string | undefined, key = KEY): readonly ObjectChange[] => [
  { kind: "ConfigMap", key, value: { config: CONFIG, settings } },
];

/** @param writtenAgo seconds since what is kept was written */
function make({ kept = "", writtenAgo = 3600, supervised = true, file = "" } = {}) {
  const clock = new SteppedClock();
  const from = { path: "config.yaml", text: kept };
  const local = { path: "/etc/selvedge/config.yaml", text: `node-name: e1\n${file}` };
  const loaded = loadConfig({ argv: [], env: {}, file: local, cloud: from, host: { hostname: "e1" } });
  if (!loaded.ok) throw new Error("Cannot load");
  const place = cloudSettingsPlace(loaded.value.config);
  if (place === undefined) throw new Error("Cannot place");
  const disk = { writtenAt: clock.wall() - writtenAgo * 1000, texts: [] as string[], full: false };
  const store = {
    writtenAt: () => disk.writtenAt,
    write: (text: string) => {
      if (disk.full) throw new Error("ENOSPC");
      disk.texts.push(text);
      disk.writtenAt = clock.wall();
    },
  };
  const health = new Health(
    () => clock.wall(),
    () => undefined,
  );
  const records: LogRecord[] = [];
  const log = new Log((record) => records.push(record), "info");
  const options = { loaded: loaded.value, place, store, supervised, health, log, clock };
  const settings = new CloudSettings(options, new Scope());
  let renewed = false;
  void settings.renewal.then(() => {
    renewed = true;
  });
  const take = async (changes: readonly ObjectChange[]) => {
    settings.take(changes);
    await clock.advance(seconds(0));
  };
  return { take, clock, disk, health, records, renewed: () => renewed };
}

test("what changes the agent's settings is kept, and asks for a new start", async () => {
  const { take, disk, records, renewed } = make();
  await take(says('log-level: "debug"\ndns-cluster-domain: "edge.local"\n'));
  expect(disk.texts).toEqual(['log-level: "debug"\ndns-cluster-domain: "edge.local"\n']);
  expect(renewed()).toBe(true);
  expect(records.map(({ event, fields }) => [event, fields.name])).toEqual([
    ["config.changed", "dns-cluster-domain,log-level"],
  ]);
});

test("what is kept already, another node's, and a ConfigMap that is gone ask for nothing", async () => {
  const { take, disk, renewed } = make({ kept: "log-level: debug\n" });
  await take(says("log-level: debug\n"));
  await take(says("log-level: warn\n", "fabedge/fabedge-agent-config-e2"));
  await take([{ kind: "ConfigMap", key: KEY, value: undefined }]);
  expect([disk.texts, renewed()]).toEqual([[], false]);
});

test("what a local setting beats, what is the node's alone and what nobody has is kept without a new start", async () => {
  const { take, disk, renewed } = make({ file: "log-level: warn\n" });
  const text = 'log-level: "debug"\nsource-url: "http://192.0.2.9"\nsync-period: "30s"\n';
  await take(says(text));
  expect([disk.texts, renewed()]).toEqual([[text], false]);
});

test("a ConfigMap that says nothing of settings takes back what it said before", async () => {
  const { take, disk, renewed } = make({ kept: "log-level: debug\n" });
  await take(says(undefined));
  expect([disk.texts, renewed()]).toEqual([[""], true]);
});

test.each([
  ["log-level: [", "as YAML"],
  ["log-level: loud\n", "it takes one of debug, info, warn, error"],
  ['dns-bind-ip: ""\n', "--dns-bind-ip is empty"],
  ["#".repeat(CLOUD_SETTINGS_LENGTH_MAX + 1), `longer than ${CLOUD_SETTINGS_LENGTH_MAX} characters`],
])("what is broken leaves the last good, and is told of: %#", async (broken, why) => {
  const { take, disk, health, renewed } = make({ kept: "log-level: debug\n" });
  await take(says(broken));
  expect([disk.texts, renewed()]).toEqual([[], false]);
  const [condition] = health.list();
  expect(condition).toMatchObject({ code: "CLOUD_SETTINGS_REFUSED", component: "config", severity: "degraded" });
  expect(condition?.message).toContain(why);
  await take(says("log-level: debug\n"));
  expect(health.list()).toEqual([]);
});

test("as many characters as may be are taken", async () => {
  const { take, disk } = make();
  await take(says("#".repeat(CLOUD_SETTINGS_LENGTH_MAX)));
  expect(disk.texts).toHaveLength(1);
});

test("a new start is asked for once a minute at most, with what counts by then", async () => {
  const { take, clock, disk, renewed } = make({ kept: "log-level: debug\n", writtenAgo: 20 });
  await take(says("log-level: warn\n"));
  await clock.advance(seconds(39));
  await take(says("log-level: error\n"));
  expect([disk.texts, renewed()]).toEqual([[], false]);
  await clock.advance(seconds(1));
  expect([disk.texts, renewed()]).toEqual([["log-level: error\n"], true]);
});

test("what goes back to what it was meanwhile asks for nothing", async () => {
  const { take, clock, disk, renewed } = make({ kept: "log-level: debug\n", writtenAgo: 20 });
  await take(says("log-level: warn\n"));
  await take(says("log-level: debug\n"));
  await clock.advance(seconds(120));
  expect([disk.texts, renewed(), clock.pending]).toEqual([[], false, 0]);
});

test("a clock that stood later when it was written holds nothing up", async () => {
  const { take, renewed } = make({ kept: "log-level: debug\n", writtenAgo: -86_400 });
  await take(says("log-level: warn\n"));
  expect(renewed()).toBe(true);
});

test("what cannot be kept asks for no start, which would know nothing of it, and is tried again", async () => {
  const { take, clock, disk, health, renewed } = make();
  disk.full = true;
  await take(says("log-level: debug\n"));
  expect([renewed(), health.list().map(({ code }) => code)]).toEqual([false, ["CLOUD_SETTINGS_UNWRITABLE"]]);
  disk.full = false;
  await clock.advance(seconds(60));
  expect([disk.texts, renewed(), health.list()]).toEqual([["log-level: debug\n"], true, []]);
});

test("an agent that nobody would start again goes on, and says so", async () => {
  const { take, disk, records, renewed } = make({ supervised: false });
  await take(says("log-level: debug\n"));
  expect([disk.texts, renewed()]).toEqual([["log-level: debug\n"], false]);
  expect(records.map(({ level, event }) => `${level} ${event}`)).toEqual(["warn config.changed"]);
});
