import type { Host } from "../lab/host.ts";
import type { Namespace } from "../lab/namespace.ts";

const PORT = 8080;

/** Says to whoever connects which address it has seen. */
const PROGRAM = `Bun.listen({ hostname: "0.0.0.0", port: ${PORT}, socket: { data() {}, open(s) { s.end(s.remoteAddress); } } });
console.log("listening");`;

/** @returns the port at which it tells everybody their address */
export async function tellAddresses(host: Host): Promise<number> {
  await host.spawn([process.execPath, "-e", PROGRAM], { ready: /listening/ });
  return PORT;
}

/** @returns the client's address as the other side saw it, empty without an answer */
export async function seenAddress(client: Namespace, address: string, port: number): Promise<string> {
  const read = `exec 3<>/dev/tcp/${address}/${port} && timeout 2 cat <&3`;
  return (await client.run(["timeout", "3", "bash", "-c", read])).stdout.trim();
}
