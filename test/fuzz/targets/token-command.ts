import { isNodeName } from "../../../cloud/join/join-token.ts";
import { parseTokenCommand } from "../../../cloud/wiring/token-options.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What stands behind "token", a word a line. */
export const target: FuzzTarget = {
  mostBytes: 256,
  form: "text",
  words: ["create", "list", "delete", "edge-1", "--expires=", "24h", "--server", "https://", "-o", "json", "-n", "\n"],
  run: (input) => {
    const command = parseTokenCommand(textOf(input).split("\n"));
    if (!command.ok) return command.error.kind;
    const { verb, node, life, server } = command.value;
    hold(verb === "list" ? node === "" : isNodeName(node), `a node ${node}`);
    hold(life > 0 && Number.isSafeInteger(life), `for ${life}`);
    hold(server === "" || /^https:\/\/[^/]+$/.test(server), server);
    return `${verb} ${server === ""}`;
  },
};
