import { NLM_F_ACK, NLM_F_REQUEST } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";

/** linux/xfrm.h */
const XFRM_MSG_NEWSA = 0x10;
const XFRM_MSG_DELSA = 0x11;
const XFRMA_ALG_AEAD = 18;
const XFRM_MODE_TUNNEL = 1;
const AF_INET = 2;
const IPPROTO_ESP = 50;

/** struct xfrm_usersa_info: where its fields are that are not zero. */
const SA_BYTES = 224;
const SA = { id: 56, source: 80, softLimits: 96, family: 212, mode: 214 } as const;
/** struct xfrm_id, and struct xfrm_usersa_id, which begins alike: 16 bytes of address, the SPI, and what differs. */
const SPI = 16;
const ID_PROTOCOL = 20;
const SA_ID_BYTES = 24;
const SA_ID = { family: 20, protocol: 22 } as const;
/** struct xfrm_algo_aead: 64 bytes of name, u32 bits of the key with its salt, u32 bits of the check value, the key. */
const AEAD = { keyBits: 64, checkBits: 68, key: 72 } as const;
const AEAD_NAME = "rfc4106(gcm(aes))";
const AEAD_KEY_BYTES = 20;
const AEAD_CHECK_BITS = 128;

/** An ESP SA of IPv4 tunnels with AES-GCM and a key of zeros: only to see whether the kernel takes one. */
export interface ProbeState {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly spi: number;
}

export function encodeProbeStateAdd(writer: NetlinkWriter, sequence: number, state: ProbeState): void {
  const { bytes, view } = zeros(SA_BYTES);
  bytes.set(state.destination, SA.id);
  view.setUint32(SA.id + SPI, state.spi);
  bytes[SA.id + ID_PROTOCOL] = IPPROTO_ESP;
  bytes.set(state.source, SA.source);
  // XFRM_INF: four limits of bytes and packets; those of time are none when they are 0.
  bytes.fill(0xff, SA.softLimits, SA.softLimits + 32);
  view.setUint16(SA.family, AF_INET, true);
  bytes[SA.mode] = XFRM_MODE_TUNNEL;

  const aead = zeros(AEAD.key + AEAD_KEY_BYTES);
  aead.bytes.set(new TextEncoder().encode(AEAD_NAME));
  aead.view.setUint32(AEAD.keyBits, 8 * AEAD_KEY_BYTES, true);
  aead.view.setUint32(AEAD.checkBits, AEAD_CHECK_BITS, true);

  writer.beginMessage(XFRM_MSG_NEWSA, NLM_F_REQUEST | NLM_F_ACK, sequence);
  writeWords(writer, bytes);
  writer.attrBytes(XFRMA_ALG_AEAD, aead.bytes);
  writer.endMessage();
}

export function encodeProbeStateDelete(writer: NetlinkWriter, sequence: number, state: ProbeState): void {
  const { bytes, view } = zeros(SA_ID_BYTES);
  bytes.set(state.destination);
  view.setUint32(SPI, state.spi);
  view.setUint16(SA_ID.family, AF_INET, true);
  bytes[SA_ID.protocol] = IPPROTO_ESP;
  writer.beginMessage(XFRM_MSG_DELSA, NLM_F_REQUEST | NLM_F_ACK, sequence);
  writeWords(writer, bytes);
  writer.endMessage();
}

function zeros(length: number): { readonly bytes: Uint8Array; readonly view: DataView } {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}

function writeWords(writer: NetlinkWriter, bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i += 4) {
    writer.octets(bytes[i] ?? 0, bytes[i + 1] ?? 0, bytes[i + 2] ?? 0, bytes[i + 3] ?? 0);
  }
}
