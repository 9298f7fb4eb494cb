import { describe, expect, test } from "bun:test";
import { type CniResult, formatCniResult, readCniResult } from "../../../../edge/pod/cni-result.ts";
import { CNI_VERSIONS } from "../../../../edge/pod/cni-version.ts";
import { parseJson } from "../../../../src/kube/json-view.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

const RESULT: CniResult = {
  interfaces: [
    { name: "br-fabedge", mac: "0a:58:0a:01:07:01", sandbox: undefined },
    { name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/run/netns/one" },
  ],
  addresses: [
    { interface: 1, address: ip("10.1.7.2"), prefixLength: 24, gateway: ip("10.1.7.1") },
    { interface: 1, address: ip("fd00:7::2"), prefixLength: 64, gateway: undefined },
  ],
  routes: [{ destination: prefix("0.0.0.0/0"), gateway: undefined }],
  dns: { nameservers: ["169.254.25.10"], search: ["cluster.local"] },
};

describe("an answer", () => {
  test("says of which version an address is only until 0.4.0", () => {
    const versions = (version: (typeof CNI_VERSIONS)[number]) =>
      (JSON.parse(formatCniResult(version, RESULT)).ips as { readonly version?: string }[]).map(
        (address) => address.version,
      );
    for (const version of ["0.3.0", "0.3.1", "0.4.0"] as const) expect(versions(version)).toEqual(["4", "6"]);
    for (const version of ["1.0.0", "1.1.0"] as const) expect(versions(version)).toEqual([undefined, undefined]);
  });

  test.each(CNI_VERSIONS)("of version %s is read as it was written", (version) => {
    const read = parseJson(JSON.parse(formatCniResult(version, RESULT)), readCniResult);
    expect(read).toEqual({ ok: true, value: RESULT });
  });

  test("keeps the host part of an address", () => {
    expect(JSON.parse(formatCniResult("1.0.0", RESULT)).ips[0].address).toBe("10.1.7.2/24");
  });

  test("with an address without a length is refused", () => {
    const read = parseJson({ ips: [{ address: "10.1.7.2" }] }, readCniResult);
    expect(read).toEqual({ ok: false, error: { at: "ips[0].address", why: "not an address with a prefix length" } });
  });
});
