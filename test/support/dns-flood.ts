import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { encodeQuery } from "../../src/wire/dns-message.ts";
import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { dnsName } from "./network-objects.ts";

export interface Question {
  readonly name: string;
  readonly type: number;
}

/** Each port is a connection to whoever counts them. */
const PORTS = 1000;
const BATCH = 64;
const QUESTIONS = "/run/questions";

export interface FloodOptions {
  readonly host: Host;
  readonly server: string;
  readonly questions: readonly Question[];
  readonly perSecond: number;
  readonly seconds: number;
}

/** Asks from a host as fast as it is told and the machine can, from many ports, and waits for no answer. */
export async function flood({ host, server, questions, ...rest }: FloodOptions): Promise<LabProcess> {
  await host.output(["sh", "-c", `cat >${QUESTIONS}`], { input: JSON.stringify(questions) });
  const argv = [
    process.execPath,
    join(import.meta.dir, "dns-flood.ts"),
    server,
    `${rest.perSecond}`,
    `${rest.seconds}`,
  ];
  return host.spawn(argv, { ready: /flooding/, timeout: seconds(30) });
}

/** How many questions a flood that has ended did send. */
export function sentBy(flood: LabProcess): number {
  return Number(/^sent (\d+)$/m.exec(flood.log)?.[1]);
}

async function send(server: string, perSecond: number, forSeconds: number): Promise<void> {
  const questions: readonly Question[] = JSON.parse(readFileSync(QUESTIONS, "utf8"));
  const packets = questions.map(({ name, type }, i) =>
    encodeQuery(
      i & 0xffff,
      { name: dnsName(name), type, class: 1 },
      { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 },
    ),
  );
  const sockets = await Promise.all(
    Array.from({ length: PORTS }, () =>
      Bun.udpSocket({ connect: { hostname: server, port: 53 }, socket: { data: () => {}, error: () => {} } }),
    ),
  );
  console.log("flooding");
  const start = performance.now();
  let sent = 0;
  for (let i = 0; performance.now() < start + forSeconds * 1000; i++) {
    const from = (i * BATCH) % packets.length;
    if (sent * 1000 < (performance.now() - start) * perSecond) {
      sent += sockets[i % PORTS]?.sendMany(packets.slice(from, from + BATCH)) ?? 0;
    }
    // Answers are taken, and thrown away.
    if (i % 16 === 0) await new Promise(setImmediate);
  }
  console.log(`sent ${sent}`);
  process.exit(0);
}

if (import.meta.main) {
  const [server = "", perSecond, forSeconds] = process.argv.slice(2);
  await send(server, Number(perSecond), Number(forSeconds));
}
