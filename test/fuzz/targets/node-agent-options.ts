import { parseNodeAgentCommand } from "../../../cloud/wiring/node-agent-options.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What stands behind "node-agent", a word a line. */
export const target: FuzzTarget = {
  mostBytes: 256,
  form: "text",
  words: [
    "cleanup",
    "--dry-run",
    "--node-name=n1",
    "--namespace=",
    "--http-bind",
    "[::1]:80",
    "--log-level=info",
    "\n",
  ],
  run: (input) => {
    const command = parseNodeAgentCommand(textOf(input).split("\n"), { NODE_NAME: "n1" });
    if (!command.ok) return command.error.kind;
    if (command.value.kind === "cleanup") return `cleanup ${command.value.dryRun}`;
    const { node, namespace, listen } = command.value.options;
    hold(node !== "" && namespace !== "", "no name");
    hold(listen.port >= 0 && listen.port <= 65_535, `port ${listen.port}`);
    return `run ${node === "n1"}`;
  },
};
