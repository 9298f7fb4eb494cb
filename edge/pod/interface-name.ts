/** dev_valid_name of net/core/dev.c: below IFNAMSIZ (16), no slash, colon or white space. */
export function isInterfaceName(text: string): boolean {
  return /^[^\s/:]{1,15}$/.test(text) && text !== "." && text !== "..";
}
