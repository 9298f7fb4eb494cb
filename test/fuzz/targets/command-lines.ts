import { parseCommandLine as parseCloud } from "../../../cloud/config.ts";
import { COMMANDS, PROGRAM } from "../../../edge/cli/command.ts";
import { parseCommandLine as parseEdge } from "../../../src/cli/command-line.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** A word a line, for the agent's program and for the cloud's. */
export const target: FuzzTarget = {
  mostBytes: 256,
  form: "text",
  words: [
    ...COMMANDS.map((command) => command.words.join("\n")),
    ...["\n", "--help", "-h", "-o", "-ojson", "--output=yaml", "=", "help", "version", "--dry-run", "--namespace"],
    ...["hub", "--manifests", "--listen", "[::1]:80", ":65536", "/m"],
  ],
  run: (input) => {
    const argv = textOf(input).split("\n");
    const [edge, cloud] = [parseEdge(PROGRAM, argv), parseCloud(argv)];
    hold(edge.ok || edge.error.length < 1000, "a sentence without an end");
    if (cloud.ok && cloud.value.kind === "hub") {
      hold(cloud.value.listen.port <= 65_535 && cloud.value.folder !== "", "a hub without a place");
    }
    return `${edge.ok ? edge.value.kind : "no"} / ${cloud.ok ? cloud.value.kind : cloud.error.kind}`;
  },
};
