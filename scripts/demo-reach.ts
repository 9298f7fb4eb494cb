import type { Duration } from "../src/base/duration.ts";
import type { Fabric } from "../test/lab/fabric/fabric.ts";
import { type Attempt, type Destination, formatMatrix, type Origin, tryAll } from "../test/lab/fabric/matrix.ts";
import { eventually, type Observation, type Story } from "./demo-story.ts";

/** Each with one pod behind it: who reaches the service reaches that pod's node. */
export const SERVICES = [
  { name: "shop", clusterIp: "10.96.0.10", node: "control" },
  { name: "camera", clusterIp: "10.96.0.21", node: "e1" },
  { name: "meter", clusterIp: "10.96.0.22", node: "e2" },
] as const;

const BETWEEN_TABLES = "    ";

/** Who is to reach whom. */
export interface Expectation {
  readonly about: string;
  /** Pods of the one node those of the other. */
  readonly reaches: (from: string, to: string) => boolean;
}

/** Who reaches whom: from the pod of each node to that of each node, by IPv4 and IPv6, and by service. */
export class Reach {
  readonly #origins: readonly Origin[];
  readonly #ways: ReadonlyMap<string, readonly Destination[]>;

  constructor({ network: { nodes } }: Fabric) {
    this.#origins = nodes.map(({ name, pod }) => ({ name, host: pod }));
    this.#ways = new Map<string, readonly Destination[]>([
      ["by IPv4", nodes.map(({ name, podAddresses: [address] }) => ({ name, address }))],
      ["by IPv6", nodes.map(({ name, podAddresses: [, address] }) => ({ name, address }))],
      ["by service", SERVICES.map(({ name, clusterIp }) => ({ name, url: `http://${clusterIp}` }))],
    ]);
  }

  /** Each way is a claim, looked at until it holds or the time is over; then all tables. */
  async see(story: Story, expected: Expectation, timeout: Duration): Promise<void> {
    const tables: string[] = [];
    for (const [way, destinations] of this.#ways) {
      let attempts: readonly Attempt[] = [];
      await story.see(`${way}, ${expected.about}`, () =>
        eventually(async () => {
          attempts = await tryAll(this.#origins, destinations);
          return judge(attempts, expected);
        }, timeout),
      );
      tables.push(formatMatrix(attempts));
    }
    story.say(sideBySide([...this.#ways.keys()], tables));
  }
}

function judge(attempts: readonly Attempt[], expected: Expectation): Observation {
  const nodeOf = (to: string) => SERVICES.find(({ name }) => name === to)?.node ?? to;
  const wrong = attempts.filter(({ from, to, reached }) => reached !== expected.reaches(from, nodeOf(to)));
  if (wrong.length > 0) {
    const told = wrong.map(({ from, to, reached }) => `${from} ${reached ? "reaches" : "does not reach"} ${to}`);
    return { holds: false, saw: told.join(", ") };
  }
  const reached = attempts.filter((attempt) => attempt.reached).length;
  return { holds: true, saw: `${reached} of ${attempts.length} reached` };
}

/** Tables of the same rows: the names of the rows stand once. */
function sideBySide(titles: readonly string[], tables: readonly string[]): string {
  const split = tables.map((table) => table.split("\n"));
  const names = (split[0] ?? []).map((line) => /^\S*/.exec(line)?.[0] ?? "");
  const first = Math.max(...names.map((name) => name.length)) + 2;
  const blocks = split.map((lines, index) => {
    const cells = [titles[index] ?? "", ...lines.map((line) => line.slice(first))];
    const width = Math.max(...cells.map((cell) => cell.length));
    return cells.map((cell) => cell.padEnd(width));
  });
  return ["", ...names]
    .map((name, row) => name.padEnd(first) + blocks.map((cells) => cells[row]).join(BETWEEN_TABLES))
    .map((line) => line.trimEnd())
    .join("\n");
}
