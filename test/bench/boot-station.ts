import type { Subprocess } from "bun";
import { RecordType } from "../../src/wire/dns.ts";
import { decodeMessage, encodeQuery } from "../../src/wire/dns-message.ts";
import { formatRecordData } from "../../src/wire/dns-record.ts";
import { dnsName } from "../support/network-objects.ts";
import { serveStation } from "./services/station.ts";

/**
 * Starts programs on its host and asks for a name and for a connection until both are there. It is the endpoint of the
 * connection too.
 */
export interface BootCommands {
  readonly listen: { readonly argument: number; readonly answer: null };
  readonly boot: { readonly argument: BootQuestion; readonly answer: Boot };
}

export interface BootQuestion {
  readonly programs: readonly (readonly string[])[];
  readonly server: string;
  readonly name: string;
  readonly address: string;
  /** Of the service, at the address of the name. */
  readonly port: number;
  readonly giveUpMilliseconds: number;
}

/** Seconds from exec; null where it was given up. */
export interface Boot {
  readonly name: number | null;
  readonly connection: number | null;
}

/** How often it asks: the resolution of the figures. */
const ASK_EVERY_MS = 1;

async function firstAnswer({ server, name, address }: BootQuestion, signal: AbortSignal): Promise<number> {
  const question = { name: dnsName(name), type: RecordType.A, class: 1 };
  const query = encodeQuery(7, question, { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 });
  const answered = Promise.withResolvers<number>();
  const client = await Bun.udpSocket({
    socket: {
      data: (_, data) => {
        const message = decodeMessage(data);
        const record = message.ok ? message.value.answers[0] : undefined;
        if (record !== undefined && formatRecordData(record) === address) answered.resolve(performance.now());
      },
      // Until somebody listens, the address is nobody's.
      error: () => {},
    },
  });
  const timer = setInterval(() => {
    try {
      client.send(query, 53, server);
    } catch {
      // The same.
    }
  }, ASK_EVERY_MS);
  signal.addEventListener("abort", () => answered.reject(signal.reason));
  try {
    return await answered.promise;
  } finally {
    clearInterval(timer);
    client.close();
  }
}

async function firstConnection({ address, port }: BootQuestion, signal: AbortSignal): Promise<number> {
  while (!signal.aborted) {
    try {
      const socket = await Bun.connect({ hostname: address, port, socket: { data: () => {} } });
      socket.end();
      return performance.now();
    } catch {
      await Bun.sleep(ASK_EVERY_MS);
    }
  }
  throw signal.reason;
}

async function boot(question: BootQuestion): Promise<Boot> {
  const signal = AbortSignal.timeout(question.giveUpMilliseconds);
  const asked = [firstAnswer(question, signal), firstConnection(question, signal)].map((time) =>
    time.catch(() => null),
  );
  const started = performance.now();
  const programs: readonly Subprocess[] = question.programs.map((argv) =>
    Bun.spawn([...argv], { stdout: "ignore", stderr: "ignore" }),
  );
  try {
    const [name, connection] = (await Promise.all(asked)).map((at) => at && (at - started) / 1000);
    return { name: name ?? null, connection: connection ?? null };
  } finally {
    for (const program of programs) program.kill("SIGKILL");
    await Promise.all(programs.map((program) => program.exited));
  }
}

function listen(port: number): null {
  // Its life is that of the questions.
  Bun.listen({ hostname: "0.0.0.0", port, socket: { data: () => {} } }).unref();
  return null;
}

if (import.meta.main) await serveStation<BootCommands>({ listen, boot });
