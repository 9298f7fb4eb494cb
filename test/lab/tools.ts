/** Paths of programs by name, built from their Go modules where they are not there yet. @throws Error where Go is missing */
export async function toolPaths<Name extends string>(
  ...names: readonly Name[]
): Promise<Readonly<Record<Name, string>>> {
  const tools = Bun.spawn([`${import.meta.dir}/../../scripts/tools`, ...names], { stderr: "inherit" });
  const lines = (await tools.stdout.text()).trim().split("\n");
  if ((await tools.exited) !== 0)
    throw new Error(`Cannot run ${names.join(" and ")} as they cannot be built: scripts/tools says why`);
  return Object.fromEntries(lines.map((line) => line.split(" "))) as Record<Name, string>;
}
