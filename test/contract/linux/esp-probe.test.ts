import { expect, test } from "bun:test";
import { probeEsp } from "../../../src/linux/esp-probe.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

/** The SA that the probe adds, in iproute2's words. */
const SA = ["src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x73656c76"];
const KEY = ["mode", "tunnel", "aead", "rfc4106(gcm(aes))", `0x${"00".repeat(20)}`, "128"];

inNamespace(import.meta.path, () => {
  test("the probe says what `ip xfrm state add` finds, twice, and leaves nothing behind", () => {
    const added = Bun.spawnSync(["ip", "xfrm", "state", "add", ...SA, ...KEY]).exitCode === 0;
    // Where it could be added it is there now, as after a probe that was interrupted.
    expect(probeEsp()).toBe(added);
    expect(probeEsp()).toBe(added);
    expect(added ? run("ip", "xfrm", "state") : "").toBe("");
  });
});
