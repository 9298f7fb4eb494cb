import type { Prefix } from "../base/ip.ts";

/** A part of an IP pool that Calico gave to a node: an `ipamblocks.crd.projectcalico.org`. */
export interface IpamBlock {
  readonly name: string;
  readonly created: string;
  readonly cidr: Prefix;
  /** Undefined when it is no node's. */
  readonly node: string | undefined;
}
