/** RFC 7468: 64 characters a line. */
export function toPem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** @returns the bytes of the first block with that label */
export function fromPem(label: string, text: string): Uint8Array<ArrayBuffer> | undefined {
  const block = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`).exec(text);
  if (block?.[1] === undefined) return undefined;
  try {
    return Uint8Array.fromBase64(block[1].replace(/\s/g, ""));
  } catch {
    return undefined;
  }
}
