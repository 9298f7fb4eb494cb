import type { TokenRecord } from "../join/join-token.ts";

/** Where tokens are kept, and what a node has to be told with one. */
export interface TokenOffice {
  keep(record: TokenRecord): Promise<void>;
  /** By name. */
  list(): Promise<readonly TokenRecord[]>;
  /** @returns false: there was none */
  delete(node: string): Promise<boolean>;
  /** PEM of the authority that signs; undefined: there is none yet. */
  authority(): Promise<string | undefined>;
  /** Where nodes reach whoever lets them in, as https://HOST:PORT; undefined: it cannot be told from here. */
  server(): Promise<string | undefined>;
  /** Whether a certificate is planned for the node. */
  expects(node: string): Promise<boolean>;
}
