import type { Namespace } from "../../lab/namespace.ts";

/** What a station does when it is asked: an argument and an answer, both as JSON has them. */
type Commands<C> = { readonly [K in keyof C]: { readonly argument: unknown; readonly answer: unknown } };

export type Handlers<C extends Commands<C>> = {
  readonly [K in keyof C]: (argument: C[K]["argument"]) => C[K]["answer"] | Promise<C[K]["answer"]>;
};

interface Question {
  readonly command: string;
  readonly argument: unknown;
}

type Answer = { readonly answer: unknown } | { readonly failure: string };

/**
 * A program of the benchmark's own on a host of the lab: what is to be measured there is done and timed there, and the
 * benchmark only asks and gets the outcome. A line of JSON each way.
 */
export class Station<C extends Commands<C>> implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncGenerator<string>;
  #last: Promise<unknown> = Promise.resolve();

  /** @param file a program that calls serveStation @param prefix words before it, such as `taskset -c 0` */
  constructor(host: Namespace, file: string, prefix: readonly string[] = []) {
    this.#process = Bun.spawn([...host.enter, ...prefix, process.execPath, file], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#answers = linesOf(this.#process.stdout);
  }

  /** Questions are worked off one after the other. */
  ask<K extends keyof C & string>(command: K, argument: C[K]["argument"]): Promise<C[K]["answer"]> {
    const question: Question = { command, argument };
    this.#process.stdin.write(`${JSON.stringify(question)}\n`);
    const answered = this.#last.then(() => this.#answer(command));
    this.#last = answered.catch(() => {});
    return answered;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stdin.end();
    await this.#process.exited;
  }

  async #answer(command: string): Promise<C[keyof C]["answer"]> {
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`Cannot ${command} as the station ended: exit ${await this.#process.exited}`);
    const answer: Answer = JSON.parse(value);
    if ("failure" in answer) throw new Error(`Cannot ${command}: ${answer.failure}`);
    return answer.answer as C[keyof C]["answer"];
  }
}

/** The other end, in the program itself: until its standard input ends. */
export async function serveStation<C extends Commands<C>>(handlers: Handlers<C>): Promise<void> {
  for await (const line of console) {
    if (line === "") break;
    const { command, argument }: Question = JSON.parse(line);
    let answer: Answer;
    try {
      const handler = handlers[command as keyof C];
      answer = { answer: (await handler(argument)) ?? null };
    } catch (error) {
      answer = { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
