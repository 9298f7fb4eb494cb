/** The stock plugin bandwidth's, so that either takes away what the other made. */
export function ifbName(network: string, containerId: string): string {
  return `bwp${new Bun.CryptoHasher("sha512").update(`${network}${containerId}`).digest("hex").slice(0, 12)}`;
}
