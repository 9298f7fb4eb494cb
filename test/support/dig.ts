export interface DigAnswer {
  readonly status: string;
  /** As dig writes them: "qr aa rd ra". */
  readonly flags: string;
  readonly udpBytes: number | undefined;
  /** "22 (No Reachable Authority)" */
  readonly extendedError: string | undefined;
  /** "name ttl type data", single spaces. */
  readonly answers: readonly string[];
  readonly authorities: readonly string[];
  readonly additionals: readonly string[];
  readonly transport: string;
  readonly output: string;
}

/** Asks with BIND's own client. @param words "name type +options", or "-x address" */
export async function dig(port: number, words: string, address = "127.0.0.1"): Promise<DigAnswer> {
  const command = ["dig", "-p", String(port), `@${address}`, "+tries=1", "+time=3", ...words.split(" ")];
  const run = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const output = await run.stdout.text();
  const section = (name: string) => {
    const text = new RegExp(`;; ${name} SECTION:\n([\\s\\S]*?)\n\n`).exec(output)?.[1] ?? "";
    return text === "" ? [] : text.split("\n").map((line) => line.replace(/\s+/g, " "));
  };
  return {
    status: /status: (\w+)/.exec(output)?.[1] ?? "none",
    flags: /;; flags: ([a-z ]*);/.exec(output)?.[1] ?? "",
    udpBytes: Number(/udp: (\d+)/.exec(output)?.[1]) || undefined,
    extendedError: /EDE: (.*)/.exec(output)?.[1],
    answers: section("ANSWER"),
    authorities: section("AUTHORITY"),
    additionals: section("ADDITIONAL"),
    transport: /SERVER: .*\((UDP|TCP)\)/.exec(output)?.[1] ?? "none",
    output,
  };
}
