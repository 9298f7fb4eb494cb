import type { Namespace } from "../namespace.ts";

/** Somebody who tries to reach others. */
export interface Origin {
  readonly name: string;
  readonly host: Namespace;
}

/** A service's endpoints take turns by chance: one that is not reached is met with 254 of 256 chances where there are two. */
const REQUESTS = 8;

/** Who is tried, and how: an address is asked for an echo, a URL for its page, time and again. */
export interface Destination {
  readonly name: string;
  readonly address?: string;
  readonly url?: string;
}

export interface Attempt {
  readonly from: string;
  readonly to: string;
  readonly reached: boolean;
}

/** All from each origin, at once; two echoes, and two seconds for a request, are what each has. */
export async function tryAll(
  origins: readonly Origin[],
  destinations: readonly Destination[],
): Promise<readonly Attempt[]> {
  const pairs = origins.flatMap((origin) => destinations.map((destination) => ({ origin, destination })));
  return await Promise.all(
    pairs.map(async ({ origin, destination }) => ({
      from: origin.name,
      to: destination.name,
      reached: await reaches(origin.host, destination),
    })),
  );
}

export async function reaches(host: Namespace, { address, url }: Destination): Promise<boolean> {
  const argv =
    url === undefined
      ? ["ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", address ?? ""]
      : [
          "curl",
          "-s",
          "-o",
          "/dev/null",
          "--max-time",
          "2",
          "--fail-early",
          "-H",
          "Connection: close",
          `${url}/?[1-${REQUESTS}]`,
        ];
  const { code } = await host.run(argv);
  return code === 0;
}

/** A row for each origin, a column for each destination. */
export function formatMatrix(attempts: readonly Attempt[]): string {
  const [origins, destinations] = [new Set(attempts.map(({ from }) => from)), new Set(attempts.map(({ to }) => to))];
  const first = Math.max(...[...origins].map((name) => name.length));
  const rows = [...origins].map((from) => {
    const cells = [...destinations].map((to) => {
      const attempt = attempts.find((one) => one.from === from && one.to === to);
      return (attempt === undefined ? "" : attempt.reached ? "✓" : "·").padEnd(to.length);
    });
    return `${from.padEnd(first)}  ${cells.join("  ")}`.trimEnd();
  });
  return [`${"".padEnd(first)}  ${[...destinations].join("  ")}`, ...rows].join("\n");
}
