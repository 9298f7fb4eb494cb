import { expect, test } from "bun:test";
import { probeConntrack, probeNftables } from "../../../src/linux/kernel-features.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

inNamespace(import.meta.path, () => {
  test("nftables is there exactly when nft can list a ruleset", () => {
    const nft = Bun.spawnSync(["nft", "list", "ruleset"]).exitCode === 0;
    expect(probeNftables() === undefined).toBe(nft);
  });

  test("connection tracking is there exactly when conntrack can list it", () => {
    const conntrack = Bun.spawnSync(["conntrack", "-L"]).exitCode === 0;
    expect(probeConntrack() === undefined).toBe(conntrack);
  });

  test("a missing capability is told from a missing feature", () => {
    const program = `
      const probe = await import("${import.meta.dir}/../../../src/linux/kernel-features.ts");
      console.log(probe.probeNftables().code, probe.probeConntrack().code);`;
    const drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
    const out = run(...drop, process.execPath, "-e", program);
    expect(out).toBe("CAP_NET_ADMIN_MISSING CAP_NET_ADMIN_MISSING\n");
  });
});
