/** Colours, or none: `identity` for files, pipes and NO_COLOR. */
export type Paint = (colour: "red" | "yellow" | "green" | "bold", text: string) => string;

const SGR = { red: 31, yellow: 33, green: 32, bold: 1 } as const;

export const plain: Paint = (_colour, text) => text;

export const coloured: Paint = (colour, text) => `\x1b[${SGR[colour]}m${text}\x1b[0m`;

const GAP = "   ";

/**
 * Columns as kubectl prints them: as wide as their widest cell, three spaces apart, no lines. Wide characters (CJK
 * node names) count twice.
 */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [header, ...rows].map((row) => row.map(printable));
  const widths = header.map((_, i) => Math.max(...cells.map((row) => Bun.stringWidth(row[i] ?? ""))));
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, i) => pad(cell, widths[i] ?? 0))
          .join(GAP)
          .trimEnd()}\n`,
    )
    .join("");
}

/** A text that came from outside must not steer the terminal: our own colours stay, everything else is shown. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  return text.replace(/\x1b(?!\[\d{1,2}m)|[\x00-\x1a\x1c-\x1f\x7f-\x9f]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - Bun.stringWidth(text)));
}
