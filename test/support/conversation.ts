import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";

/**
 * Says the numbers from 1 into one connection, each after the one before came back, and prints what comes. Its breath in
 * between is a wait for a pipe into which nobody writes: `sleep` is a program, and would take more than all the rest.
 */
const SCRIPT = `
exec 3<>/dev/tcp/$1/80 4<> <(:)
number=0
while :; do
  echo $((++number)) >&3
  read -r -t 5 answer <&3 || { echo broken; exit 1; }
  [ "$answer" = $number ] || { echo "wrong: $answer"; exit 1; }
  echo "$answer"
  read -r -t 0.01 <&4
done`;

/** More lines than are under way at one moment. */
const GOES_ON = 20;

/** One TCP connection with something that echoes, on which words go to and fro for as long as it stands. */
export class Conversation {
  readonly #process: LabProcess;

  /** @param address of a service whose port 80 leads to ECHO_PORT */
  static async start(client: Host, address: string): Promise<Conversation> {
    const argv = ["bash", "-c", SCRIPT, "bash", address];
    // A service may be there before its endpoints.
    return new Conversation(await waitFor("a first word", () => client.spawn(argv, { ready: /^20$/m })));
  }

  private constructor(process: LabProcess) {
    this.#process = process;
  }

  get wordsSaid(): number {
    return Number(this.#process.log.trimEnd().split("\n").at(-1));
  }

  /** @returns when words went to and fro since the call @throws Error where the connection broke, ever */
  async goesOn(): Promise<void> {
    const before = this.wordsSaid;
    await waitFor("the conversation going on", () => this.wordsSaid > before + GOES_ON || !this.#process.running);
    if (!this.#process.running) throw new Error(`Cannot go on talking:\n${this.#process.log.slice(-200)}`);
  }
}
