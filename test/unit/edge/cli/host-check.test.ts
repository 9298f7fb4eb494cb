import { describe, expect, test } from "bun:test";
import { type HostState, judgeHost } from "../../../../edge/cli/host-check.ts";
import { loadConfig } from "../../../../edge/config.ts";
import type { Ip } from "../../../../src/base/ip.ts";
import type { CheckResult } from "../../../../src/cli/check-report.ts";
import type { MissingFeature } from "../../../../src/linux/kernel-features.ts";
import type { PortHolder } from "../../../../src/linux/port-holders.ts";
import { statusReport } from "../../../support/agent-handlers.ts";
import { GOOD_HOST } from "../../../support/cli-world.ts";

type Agent = Parameters<typeof judgeHost>[2];

function judge(host: Partial<HostState>, argv: readonly string[] = [], agent?: Agent): readonly CheckResult[] {
  const loaded = loadConfig({ argv, env: {}, file: undefined, host: { hostname: "edge-1" } });
  if (!loaded.ok) throw new Error("settings");
  return judgeHost({ ...GOOD_HOST, ...host }, loaded.value.config, agent);
}

function troubles(...args: Parameters<typeof judge>): readonly string[] {
  return judge(...args).flatMap((result) => (result.ok ? [] : [`${result.severity} ${result.code}`]));
}

const HOLDER: PortHolder = {
  protocol: "UDP",
  address: "0.0.0.0" as Ip,
  port: 53,
  inode: "1",
  pid: 7,
  program: "dnsmasq",
};

describe("host check", () => {
  test("a good host has no trouble, and says what was looked at", () => {
    expect(troubles({})).toEqual([]);
    expect(judge({}).map((result) => result.component)).toEqual([
      ...["service", "dns", "cache", "source", "tunnels", "tunnels"],
    ]);
  });

  const feature = (code: MissingFeature["code"]): MissingFeature => ({
    code,
    message: "Cannot use it",
    hint: "Load it.",
  });

  test("a kernel without nftables is degraded, and failed where nftables is demanded", () => {
    const nftables = feature("NFT_MISSING");
    expect(troubles({ nftables })).toEqual(["degraded NFT_MISSING"]);
    expect(troubles({ nftables }, ["--proxy-mode=nftables"])).toEqual(["failed NFT_MISSING"]);
    expect(troubles({ nftables }, ["--enable-proxy=false"])).toEqual([]);
    expect(troubles({ nftables, conntrack: feature("CONNTRACK_MISSING") })).toEqual([
      "degraded NFT_MISSING",
      "degraded CONNTRACK_MISSING",
    ]);
  });

  test("a missing privilege is one failure, however many questions it kept from an answer", () => {
    const forbidden = feature("CAP_NET_ADMIN_MISSING");
    expect(troubles({ nftables: forbidden, conntrack: forbidden })).toEqual(["failed CAP_NET_ADMIN_MISSING"]);
  });

  test("a low port without the privilege is a failure, a high one is not", () => {
    const capabilities = 1n << 12n;
    expect(troubles({ capabilities })).toEqual(["failed DNS_BIND_FAILED"]);
    expect(troubles({ capabilities }, ["--dns-bind-port=5353"])).toEqual([]);
  });

  test("whoever holds the DNS port is named", () => {
    const [, result] = judge({ dnsPort: [HOLDER] });
    expect(result).toMatchObject({ code: "DNS_BIND_FAILED", severity: "failed" });
    expect(result?.message).toContain("dnsmasq (pid 7) listens on 0.0.0.0");
    expect(troubles({ dnsPort: [HOLDER] }, ["--enable-dns=false"])).toEqual([]);
    expect(troubles({ dnsPort: [{ ...HOLDER, address: "127.0.0.53" as Ip }] })).toEqual([]);
    expect(troubles({ dnsPort: [{ ...HOLDER, pid: undefined }] })).toEqual(["failed DNS_BIND_FAILED"]);
  });

  test("an agent that answers knows its own port, source and settings, which may not be those that are read here", () => {
    const host = {
      dnsPort: [HOLDER],
      capabilities: 0n,
      source: { url: "http://127.0.0.1:10550", refusal: "ECONNREFUSED" },
      nftables: feature("NFT_MISSING"),
    };
    const { service } = statusReport();
    expect(troubles(host, [], { service: { ...service, enabled: false } })).toEqual([]);
    expect(troubles(host, ["--enable-proxy=false"], { service })).toEqual(["degraded NFT_MISSING"]);
  });

  test("a full or read-only disk is degraded: the node works until it restarts", () => {
    const disk = GOOD_HOST.disk;
    expect(troubles({ disk: { ...disk, freeBytes: 1024 } })).toEqual(["degraded DISK_LOW"]);
    expect(troubles({ disk: { ...disk, refusal: "EROFS" } })).toEqual(["degraded CACHE_WRITE_FAILED"]);
  });

  test("a source that takes no connection is degraded", () => {
    const source = { url: "http://127.0.0.1:10550", refusal: "ECONNREFUSED" };
    expect(troubles({ source })).toEqual(["degraded SOURCE_UNREACHABLE"]);
    expect(troubles({ source: undefined })).toEqual([]);
  });
});
