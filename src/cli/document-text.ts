/** Data on standard output: a document for programs, or what `table` makes for people. */
export function formatDocument(format: string | undefined, document: object, table: () => string): string {
  switch (format) {
    case "json":
      return `${JSON.stringify(document, null, 2)}\n`;
    case "yaml":
      return `${Bun.YAML.stringify(document, null, 2)}\n`;
    default:
      return table();
  }
}
