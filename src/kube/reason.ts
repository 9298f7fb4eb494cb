/** A code of docs/errors.md as Kubernetes writes reasons of conditions and Events: "SUBNET_CONFLICT" is "SubnetConflict". */
export function reasonOf(code: string): string {
  return code.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
