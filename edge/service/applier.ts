import type { ObjectKey } from "../../src/network/service.ts";
import type { Frontend } from "./frontend.ts";

/** Makes frontends work: in the kernel, or in this process where the kernel cannot. */
export interface ServiceApplier {
  /**
   * Brings the changed services to what is given; the others stay.
   *
   * The first call has every service: what an earlier run left behind for others is removed then.
   * @param changes services with all frontends that they own now; none when the service is gone
   */
  apply(changes: ReadonlyMap<ObjectKey, readonly Frontend[]>): Promise<void>;
  /** Compares with the world and repairs it; touches nothing when nothing differs. */
  resync(): Promise<void>;
  /** Ends our own part; what the kernel does goes on. */
  close(): Promise<void>;
}
