import { basename } from "node:path";
import { SystemClock } from "../src/linux/system-clock.ts";
import { PLUGIN_NAME } from "./pod/conflist.ts";

/**
 * A function, since bytecode knows no await at the top level. A container runtime runs its plugin by the name of its file
 * and without a word, for every pod that comes or goes, and waits for it: nothing is loaded then but what that needs.
 */
async function main(): Promise<void> {
  if (basename(process.argv0) === PLUGIN_NAME && process.argv.length === 2) {
    const { runCni } = await import("./wiring/cni-command.ts");
    const { exitCode, text } = await runCni(process.env, new SystemClock());
    await Bun.write(Bun.stdout, text);
    process.exit(exitCode);
  }
  if (!Bun.isMainThread) {
    const { runDnsThread } = await import("./dns-program.ts");
    return runDnsThread();
  }
  const { runProgram } = await import("./program.ts");
  await runProgram();
}

void main();
