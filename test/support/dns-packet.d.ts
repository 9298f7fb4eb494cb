/** The part of the package that the tests use as an oracle; it has no types of its own. */
declare module "dns-packet" {
  export interface OracleQuestion {
    readonly name: string;
    readonly type: string;
  }

  export interface OracleRecord {
    readonly name: string;
    readonly type: string;
    readonly ttl?: number;
    readonly data?: unknown;
    readonly flags?: number;
    readonly udpPayloadSize?: number;
    readonly options?: readonly { readonly code: number | string; readonly data?: Uint8Array }[];
  }

  export interface OraclePacket {
    readonly id?: number;
    readonly type?: "query" | "response";
    readonly flags?: number;
    readonly rcode?: string;
    readonly questions?: readonly OracleQuestion[];
    readonly answers?: readonly OracleRecord[];
    readonly authorities?: readonly OracleRecord[];
    readonly additionals?: readonly OracleRecord[];
  }

  export function encode(packet: OraclePacket): Buffer;
  export function decode(bytes: Buffer): OraclePacket;
}
