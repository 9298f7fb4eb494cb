import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { espCipher, tunnelMtu } from "../../../../src/network/tunnel-mtu.ts";

const gcm = espCipher("AES_GCM_16", undefined);

describe("the MTU of a tunnel", () => {
  test("is what the kernel says for AES-GCM over a link of 1500 bytes", () => {
    // `ip route get` through a tunnel of each kind on Linux 6.1.
    expect(tunnelMtu(1500, { family: 4, udp: false, cipher: gcm })).toBe(1446);
    expect(tunnelMtu(1500, { family: 4, udp: true, cipher: gcm })).toBe(1438);
    expect(tunnelMtu(1500, { family: 6, udp: true, cipher: gcm })).toBe(1418);
    const cbc = espCipher("AES_CBC", "HMAC_SHA2_256_128");
    expect(tunnelMtu(1500, { family: 4, udp: false, cipher: cbc })).toBe(1438);
  });

  test("leaves exactly room for the headers, the padding and the check value", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1280, max: 9000 }),
        fc.constantFrom(4 as const, 6 as const),
        fc.boolean(),
        fc.constantFrom(gcm, espCipher("AES_CBC", "HMAC_SHA1_96"), espCipher("3DES_CBC", "HMAC_SHA2_512_256")),
        (pathMtu, family, udp, cipher) => {
          const outer = (inner: number) => {
            const block = Math.max(4, cipher.block);
            const encrypted = Math.ceil((inner + 2) / block) * block;
            return (family === 4 ? 20 : 40) + (udp ? 8 : 0) + 8 + cipher.vector + encrypted + cipher.check;
          };
          const mtu = tunnelMtu(pathMtu, { family, udp, cipher });
          expect(outer(mtu)).toBeLessThanOrEqual(pathMtu);
          expect(outer(mtu + 1)).toBeGreaterThan(pathMtu);
        },
      ),
    );
  });
});

describe("a cipher's overhead", () => {
  test("is told from charon's names", () => {
    expect(espCipher("AES_GCM_16", undefined)).toEqual({ vector: 8, block: 1, check: 16 });
    expect(espCipher("CHACHA20_POLY1305", undefined)).toEqual({ vector: 8, block: 1, check: 16 });
    expect(espCipher("AES_CBC", "HMAC_SHA2_256_128")).toEqual({ vector: 16, block: 16, check: 16 });
    expect(espCipher("AES_CBC", "AES_XCBC_96")).toEqual({ vector: 16, block: 16, check: 12 });
  });

  test("is the largest there is where the names are not known", () => {
    const unknown = espCipher("SOMETHING_NEW", undefined);
    const mtu = (cipher: typeof unknown) => tunnelMtu(1500, { family: 4, udp: true, cipher });
    for (const known of [gcm, espCipher("AES_CBC", "HMAC_SHA2_512_256")]) {
      expect(mtu(unknown)).toBeLessThanOrEqual(mtu(known));
    }
    expect(espCipher("AES_CBC", "SOMETHING_NEW").check).toBe(32);
  });
});
