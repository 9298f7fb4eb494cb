import { describe, expect, test } from "bun:test";
import { type CheckResult, type HostState, judgeHost, type PortHolder } from "../../../../edge/cli/host-check.ts";
import { loadConfig } from "../../../../edge/config.ts";
import type { Ip } from "../../../../src/base/ip.ts";
import { GOOD_HOST } from "../../../support/cli-world.ts";

function judge(host: Partial<HostState>, argv: readonly string[] = [], agentPid?: number): readonly CheckResult[] {
  const loaded = loadConfig({ argv, env: {}, file: undefined, host: { hostname: "edge-1" } });
  if (!loaded.ok) throw new Error("settings");
  return judgeHost({ ...GOOD_HOST, ...host }, loaded.value.config, agentPid);
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
    expect(judge({}).map((result) => result.component)).toEqual(["process", "service", "dns", "cache", "source"]);
  });

  test("each missing capability is named", () => {
    const [result] = judge({ capabilities: 1n << 10n });
    expect(result).toMatchObject({ code: "PRIVILEGE_MISSING", severity: "failed" });
    expect(result?.message).toContain("CAP_NET_ADMIN missing");
    expect(result?.message).not.toContain("CAP_NET_BIND_SERVICE");
  });

  test("a kernel without nftables is degraded, and failed where nftables is demanded", () => {
    const nftables = { outcome: "no", why: "EPROTONOSUPPORT" } as const;
    expect(troubles({ nftables })).toEqual(["degraded KERNEL_NFTABLES_MISSING"]);
    expect(troubles({ nftables }, ["--proxy-mode=nftables"])).toEqual(["failed KERNEL_NFTABLES_MISSING"]);
    expect(troubles({ nftables }, ["--enable-proxy=false"])).toEqual([]);
    expect(troubles({ nftables: { outcome: "unknown", why: "EPERM" } })).toEqual(["info KERNEL_NFTABLES_MISSING"]);
  });

  test("whoever holds the DNS port is named, unless it is the agent", () => {
    const [, , result] = judge({ dnsPort: [HOLDER] });
    expect(result).toMatchObject({ code: "DNS_PORT_IN_USE", severity: "failed" });
    expect(result?.message).toContain("dnsmasq (pid 7) listens on 0.0.0.0");
    expect(troubles({ dnsPort: [HOLDER] }, [], 7)).toEqual([]);
    expect(troubles({ dnsPort: [HOLDER] }, ["--enable-dns=false"])).toEqual([]);
    expect(troubles({ dnsPort: [{ ...HOLDER, address: "127.0.0.53" as Ip }] })).toEqual([]);
    expect(troubles({ dnsPort: [{ ...HOLDER, pid: undefined }] }, [], 7)).toEqual(["failed DNS_PORT_IN_USE"]);
  });

  test("a full or read-only disk is degraded: the node works until it restarts", () => {
    const disk = GOOD_HOST.disk;
    expect(troubles({ disk: { ...disk, freeBytes: 1024 } })).toEqual(["degraded DISK_FULL"]);
    expect(troubles({ disk: { ...disk, writable: { outcome: "no", why: "EROFS" } } })).toEqual([
      "degraded DISK_READ_ONLY",
    ]);
  });

  test("a source that takes no connection is degraded", () => {
    const source = { url: "http://127.0.0.1:10550", reachable: { outcome: "no", why: "ECONNREFUSED" } } as const;
    expect(troubles({ source })).toEqual(["degraded SOURCE_UNREACHABLE"]);
    expect(troubles({ source: undefined })).toEqual([]);
  });
});
