import { errorCode } from "../base/errors.ts";

/** Of both families. */
const EVERYWHERE = "::";
const EVERYWHERE_IPV4 = "0.0.0.0";

/**
 * Listens at an address. A kernel that was started without IPv6 (ipv6.disable=1, as hardening guides have it) makes no
 * socket for `::`: there, every address is every one of IPv4.
 *
 * @param listen throws what the runtime says
 */
export function listenEverywhere<T>(hostname: string, listen: (hostname: string) => T): T {
  try {
    return listen(hostname);
  } catch (error) {
    if (hostname !== EVERYWHERE || errorCode(error) !== "EAFNOSUPPORT") throw error;
    return listen(EVERYWHERE_IPV4);
  }
}
