import { join } from "node:path";
import { decodeMessage, encodeQuery } from "../../src/wire/dns-message.ts";
import { uint16 } from "../../src/wire/dns-query.ts";
import { formatRecordData } from "../../src/wire/dns-record.ts";
import type { Host } from "../lab/host.ts";
import { dnsName } from "./network-objects.ts";

/** A pod's resolver, which asks for one name in the same rhythm whatever happens, each question once. */
const ASK_EVERY_MS = 5;
/** What glibc waits before it asks again is 5 s; who comes after this was not answered for a test's purposes. */
const LOST_AFTER_MS = 2000;

export interface SteadyReport {
  readonly asked: number;
  /** With another address than it should be, or with none. */
  readonly wrong: number;
  readonly lost: number;
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
  readonly worstMilliseconds: number;
}

/** Asks from a host while something else goes on. @returns ends it, and tells how the questions fared */
export async function askSteadily(host: Host, server: string, name: string, address: string) {
  const argv = [process.execPath, join(import.meta.dir, "steady-client.ts"), server, name, address];
  const client = await host.spawn(argv, { ready: /asking/ });
  return async (): Promise<SteadyReport> => {
    await client.stop();
    const report = /^\{.*\}$/m.exec(client.log)?.[0];
    if (report === undefined) throw new Error(`Cannot read the client's report:\n${client.log}`);
    return JSON.parse(report);
  };
}

async function ask(server: string, name: string, address: string): Promise<void> {
  const question = { name: dnsName(name), type: 1, class: 1 };
  const askedAt = new Map<number, number>();
  const took: number[] = [];
  let [asked, wrong] = [0, 0];
  const socket = await Bun.udpSocket({
    connect: { hostname: server, port: 53 },
    socket: {
      data: (_, packet) => {
        const id = uint16(packet, 0);
        const start = askedAt.get(id);
        if (start === undefined || !askedAt.delete(id)) return;
        took.push(performance.now() - start);
        const message = decodeMessage(packet);
        const [record] = message.ok ? message.value.answers : [];
        if (record === undefined || formatRecordData(record) !== address) wrong += 1;
      },
      error: () => {},
    },
  });
  const timer = setInterval(() => {
    const id = asked++ & 0xffff;
    askedAt.set(id, performance.now());
    socket.send(encodeQuery(id, question, { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 }));
  }, ASK_EVERY_MS);
  await new Promise((resolve) => process.once("SIGTERM", resolve));
  clearInterval(timer);
  const end = performance.now() + LOST_AFTER_MS;
  while (askedAt.size > 0 && performance.now() < end) await Bun.sleep(ASK_EVERY_MS);
  took.sort((a, b) => a - b);
  const quantile = (q: number) => Math.round((took[Math.floor(q * (took.length - 1))] ?? Number.NaN) * 100) / 100;
  const report: SteadyReport = {
    asked,
    wrong,
    lost: askedAt.size + took.filter((milliseconds) => milliseconds > LOST_AFTER_MS).length,
    p50Milliseconds: quantile(0.5),
    p99Milliseconds: quantile(0.99),
    worstMilliseconds: quantile(1),
  };
  console.log(JSON.stringify(report));
  process.exit(0);
}

if (import.meta.main) {
  const [server = "", name = "", address = ""] = process.argv.slice(2);
  const asking = ask(server, name, address);
  console.log("asking");
  await asking;
}
