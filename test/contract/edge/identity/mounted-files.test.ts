import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { $ } from "bun";
import { loadConfig } from "../../../../edge/config.ts";
import { makeIdentity } from "../../../../edge/wiring/identity.ts";
import type { Clock } from "../../../../src/base/clock.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { SystemClock } from "../../../../src/linux/system-clock.ts";
import type { FabricIdentity } from "../../../../src/network/fabric-identity.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { FabEdgeAuthority } from "../../../support/fabedge-authority.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

/** As FabEdge 1.0.0 writes it. */
const tunnels = (...peers: readonly string[]) => `id: C=CN, O=fabedge.io, CN=paris.e1
name: paris.e1
nodeSubnets:
- 192.168.9.7
peers:
${peers.map((peer) => `- id: C=CN, O=fabedge.io, CN=${peer}\n  name: ${peer}\n  nodeSubnets:\n  - 10.0.0.1\n  publicAddresses:\n  - 198.51.100.1\n  subnets:\n  - 10.96.0.0/12\n  type: Connector\n`).join("")}publicAddresses:
- 203.0.113.7
subnets:
- 10.1.7.0/24
type: EdgeNode
`;

let folder: string;
let authority: FabEdgeAuthority;
let scope: Scope;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "selvedge-identity-"));
  authority = await FabEdgeAuthority.create();
  scope = new Scope();
});
afterEach(async () => {
  await scope.close();
  authority[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** A volume as kubelet's atomic writer keeps it: files behind links, into a folder that is swapped by a link. */
class Volume {
  readonly #root: string;
  #version = 0;

  constructor(name: string) {
    this.#root = join(folder, name);
    mkdirSync(this.#root);
  }

  path(name: string): string {
    return join(this.#root, name);
  }

  write(files: Readonly<Record<string, string>>): void {
    this.#version += 1;
    const version = `..2026_11_21_${this.#version}`;
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.#root, version, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      const top = name.split("/")[0] ?? name;
      if (this.#version === 1) symlinkSync(join("..data", top), this.path(top));
    }
    symlinkSync(version, this.path("..data_tmp"));
    renameSync(this.path("..data_tmp"), this.path("..data"));
    if (this.#version > 1) rmSync(this.path(`..2026_11_21_${this.#version - 1}`), { recursive: true });
  }
}

const secretFiles = (made: Awaited<ReturnType<FabEdgeAuthority["issue"]>>) => ({
  "cacerts/ca.crt": made.authorities,
  "certs/tls.crt": made.certificate,
  "private/tls.key": made.key,
});

function start(tunnelsConf: string, localCert: string, clock: Clock = new SystemClock()) {
  const argv = ["--node-name=e1", `--tunnels-conf=${tunnelsConf}`, `--local-cert=${localCert}`];
  const loaded = loadConfig({ argv, env: {}, file: undefined, host: { hostname: "e1" } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const health = new Health(
    () => clock.wall(),
    () => undefined,
  );
  const told: FabricIdentity[] = [];
  makeIdentity(loaded.value.config, health, clock).start((identity) => told.push(identity), scope);
  return { told, codes: () => health.list().map(({ code }) => code) };
}

/** What openssl says of credentials: whether they verify, and whether the key is the certificate's. */
async function judge({ credentials }: FabricIdentity): Promise<string> {
  if (credentials === undefined) return "none";
  const [authorities, certificate, key] = ["a.pem", "c.pem", "k.pem"].map((name) => join(folder, name));
  await Bun.write(authorities ?? "", credentials.authorities.join(""));
  await Bun.write(certificate ?? "", credentials.certificates.join(""));
  await Bun.write(key ?? "", credentials.key.reveal());
  const verified = await $`openssl verify -CAfile ${authorities} ${certificate}`.nothrow().quiet();
  const ofKey = await $`openssl pkey -in ${key} -pubout`.text();
  const ofCertificate = await $`openssl x509 -in ${certificate} -noout -pubkey`.text();
  return verified.exitCode === 0 && ofKey === ofCertificate ? "good" : verified.stderr.toString();
}

describe("what FabEdge's operator made, mounted as in its pods", () => {
  test("is an identity, and follows the volumes as they are swapped", async () => {
    const [netconf, ipsecD] = [new Volume("netconf"), new Volume("ipsec.d")];
    const first = await authority.issue("paris.e1");
    netconf.write({ "tunnels.yaml": tunnels("paris.connector") });
    ipsecD.write(secretFiles(first));
    const { told, codes } = start(netconf.path("tunnels.yaml"), ipsecD.path("certs/tls.crt"));
    expect(told).toHaveLength(1);
    expect(codes()).toEqual([]);
    expect(told[0]?.config.peers.map(({ name }) => name)).toEqual(["paris.connector"]);
    expect(told[0]?.credentials?.key.reveal()).toBe(first.key);
    expect(await judge(told[0] as FabricIdentity)).toBe("good");

    for (const peers of [["paris.connector", "lyon.connector"], ["paris.connector"]]) {
      const before = told.length;
      netconf.write({ "tunnels.yaml": tunnels(...peers) });
      await waitFor("the swapped configuration", async () => told.length > before);
      expect(told.at(-1)?.config.peers.map(({ name }) => name)).toEqual(peers);
    }

    const renewed = await authority.issue("paris.e1");
    ipsecD.write(secretFiles(renewed));
    await waitFor("the renewed certificate", async () => told.at(-1)?.credentials?.key.reveal() === renewed.key);
    expect(await judge(told.at(-1) as FabricIdentity)).toBe("good");
    expect(codes()).toEqual([]);
  });

  test("keeps what is in use while a key and a certificate do not fit", async () => {
    const ipsecD = new Volume("ipsec.d");
    const [first, second] = [await authority.issue("paris.e1"), await authority.issue("paris.e1")];
    writeFileSync(join(folder, "tunnels.yaml"), tunnels("paris.connector"));
    ipsecD.write(secretFiles(first));
    const { told, codes } = start(join(folder, "tunnels.yaml"), ipsecD.path("certs/tls.crt"));
    ipsecD.write({ ...secretFiles(first), "private/tls.key": second.key });
    await waitFor("a word about it", async () => codes().includes("CREDENTIALS_UNUSABLE"));
    expect(told).toHaveLength(1);
    ipsecD.write(secretFiles(second));
    await waitFor("the pair that fits", async () => told.at(-1)?.credentials?.key.reveal() === second.key);
    expect(codes()).toEqual([]);
  });
});

describe("files of a node that are written by hand or by a program", () => {
  test("are followed when they are made anew, where FabEdge's agent lost them", async () => {
    const path = join(folder, "tunnels.yaml");
    writeFileSync(path, tunnels("paris.connector"));
    const { told, codes } = start(path, "/nowhere/certs/tls.crt");
    expect(codes()).toEqual(["CREDENTIALS_MISSING"]);
    for (const peer of ["a.connector", "b.connector", "c.connector"]) {
      rmSync(path);
      writeFileSync(path, tunnels(peer));
      await waitFor(peer, async () => told.at(-1)?.config.peers[0]?.name === peer);
    }
    writeFileSync(path, tunnels("d.connector"));
    await waitFor("one that was written over", async () => told.at(-1)?.config.peers[0]?.name === "d.connector");
    renameSync(path, `${path}.away`);
    await waitFor("a word about it", async () => codes().includes("NODE_CONFIG_UNREADABLE"));
    expect(told.at(-1)?.config.peers[0]?.name).toBe("d.connector");
  });

  test("are found when their folder comes later, or is replaced as a whole", async () => {
    const clock = new SteppedClock(Date.now());
    const inside = join(folder, "late");
    const { told } = start(join(inside, "tunnels.yaml"), "/nowhere/certs/tls.crt", clock);
    for (const peer of ["a.connector", "b.connector"]) {
      rmSync(inside, { recursive: true, force: true });
      mkdirSync(inside);
      writeFileSync(join(inside, "tunnels.yaml"), tunnels(peer));
      await clock.advance(seconds(10));
      expect(told.at(-1)?.config.peers[0]?.name).toBe(peer);
    }
    // The folder that is there now is watched; the first of these may be told by what was left of the one before.
    for (const peer of ["c.connector", "d.connector"]) {
      writeFileSync(join(inside, "tunnels.yaml"), tunnels(peer));
      await waitFor("the event", () => (clock.untilNext ?? Infinity) < seconds(1));
      await clock.advance(seconds(1));
      expect(told.at(-1)?.config.peers[0]?.name).toBe(peer);
    }
  });
});
