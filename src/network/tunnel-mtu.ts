import type { Family } from "../base/ip.ts";

/** What a cipher adds to a packet (RFC 4303 section 2), in bytes. */
export interface EspCipher {
  readonly vector: number;
  /** What the encrypted part is a multiple of. */
  readonly block: number;
  /** The integrity check value. */
  readonly check: number;
}

/** What an ESP packet travels in. */
export interface EspCarrier {
  /** Of the tunnel's ends. */
  readonly family: Family;
  /** ESP in UDP (RFC 3948). */
  readonly udp: boolean;
  readonly cipher: EspCipher;
}

/** RFC 8200 section 5: what every IPv6 link carries, and in practice every other. */
export const SMALLEST_LINK_MTU = 1280;

const IP_HEADER: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };
const UDP_HEADER = 8;
/** Index and sequence number. */
const ESP_HEADER = 8;
/** Length of the padding, and the inner protocol. */
const ESP_TRAILER = 2;
/** RFC 4303 section 2.4: whatever the cipher, the packet ends at a multiple of four. */
const ALIGNMENT = 4;

/** Charon's names. RFC 4106, 4309, 7634; CBC of RFC 3602, 5529 and 2451. */
const CIPHERS: readonly { readonly name: RegExp; readonly cipher: EspCipher }[] = [
  { name: /^(AES_GCM|AES_CCM|CAMELLIA_CCM)_16|^CHACHA20_POLY1305/, cipher: { vector: 8, block: 1, check: 16 } },
  { name: /^(AES_GCM|AES_CCM|CAMELLIA_CCM)_12/, cipher: { vector: 8, block: 1, check: 12 } },
  { name: /^(AES_GCM|AES_CCM|CAMELLIA_CCM)_8/, cipher: { vector: 8, block: 1, check: 8 } },
  { name: /^(AES|CAMELLIA)_CTR/, cipher: { vector: 8, block: 1, check: 0 } },
  { name: /^(AES|CAMELLIA)_CBC/, cipher: { vector: 16, block: 16, check: 0 } },
  { name: /^3DES_CBC/, cipher: { vector: 8, block: 8, check: 0 } },
];
/** RFC 2404, 4868, 3566, 4494. */
const CHECKS: readonly { readonly name: RegExp; readonly bytes: number }[] = [
  { name: /_96$/, bytes: 12 },
  { name: /_128$/, bytes: 16 },
  { name: /_160$/, bytes: 20 },
  { name: /_192$/, bytes: 24 },
  { name: /_256$/, bytes: 32 },
];
const LARGEST: EspCipher = { vector: 16, block: 16, check: 32 };

/**
 * @param encryption as charon names it: "AES_GCM_16", "AES_CBC"
 * @param integrity "HMAC_SHA2_256_128"; undefined where the cipher does both
 * @returns for what is not known, the most that anything known adds
 */
export function espCipher(encryption: string | undefined, integrity: string | undefined): EspCipher {
  const cipher = CIPHERS.find(({ name }) => name.test(encryption ?? ""))?.cipher;
  if (cipher === undefined) return LARGEST;
  if (cipher.check > 0) return cipher;
  return { ...cipher, check: CHECKS.find(({ name }) => name.test(integrity ?? ""))?.bytes ?? LARGEST.check };
}

/**
 * The largest packet that fits, in tunnel mode, into one ESP packet of the path between a tunnel's ends.
 *
 * @param pathMtu in bytes, IP header included
 */
export function tunnelMtu(pathMtu: number, { family, udp, cipher }: EspCarrier): number {
  const headers = IP_HEADER[family] + (udp ? UDP_HEADER : 0) + ESP_HEADER + cipher.vector + cipher.check;
  const block = Math.max(cipher.block, ALIGNMENT);
  return Math.floor((pathMtu - headers) / block) * block - ESP_TRAILER;
}
