/** "0a:58:0a:01:07:01". */
export function formatHardwareAddress(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
