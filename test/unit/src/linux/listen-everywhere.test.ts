import { describe, expect, test } from "bun:test";
import { listenEverywhere } from "../../../../src/linux/listen-everywhere.ts";

/** A kernel that has the addresses' families, or IPv4 alone. */
function kernel(hasIpv6: boolean) {
  const tried: string[] = [];
  const listen = (hostname: string) => {
    tried.push(hostname);
    if (!hasIpv6 && hostname.includes(":")) throw Object.assign(new Error("socket"), { code: "EAFNOSUPPORT" });
    return hostname;
  };
  return { listen, tried };
}

describe("listening", () => {
  test.each([
    [true, "::", "::"],
    [true, "192.0.2.1", "192.0.2.1"],
    [false, "::", "0.0.0.0"],
    [false, "192.0.2.1", "192.0.2.1"],
  ])("with IPv6 in the kernel: %p, at %s means at %s", (hasIpv6, asked, got) => {
    expect(listenEverywhere(asked, kernel(hasIpv6).listen)).toBe(got);
  });

  test("at one address of IPv6 is refused where there are none", () => {
    expect(() => listenEverywhere("::1", kernel(false).listen)).toThrow("socket");
  });

  test("is not tried elsewhere when a port is taken", () => {
    const { tried } = kernel(true);
    const taken = (hostname: string) => {
      tried.push(hostname);
      throw Object.assign(new Error("taken"), { code: "EADDRINUSE" });
    };
    expect(() => listenEverywhere("::", taken)).toThrow("taken");
    expect(tried).toEqual(["::"]);
  });
});
