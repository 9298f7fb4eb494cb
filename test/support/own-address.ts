import { waitFor } from "../lab/wait-for.ts";
import { run } from "./in-namespace.ts";

/** @returns when the kernel takes the address for its own: of IPv6 it makes that route a moment later, in a worker */
export async function untilOwn(address: string): Promise<void> {
  await waitFor(`${address} to be this host's`, () => run("ip", "route", "get", address).startsWith("local "));
}
