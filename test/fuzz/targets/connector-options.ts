import { parseConnectorOptions } from "../../../cloud/wiring/connector-options.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** A command line, a word a line. */
export const target: FuzzTarget = {
  mostBytes: 256,
  form: "text",
  words: [
    "--node-name=",
    "--namespace",
    "--cni-type=calico",
    "--http-bind=",
    "--vici-socket=/a",
    "--state-dir=/b",
    "--log-level=",
    "[::1]:80",
    "debug",
    "=",
    "\n",
    "--",
  ],
  run: (input) => {
    const options = parseConnectorOptions(textOf(input).split("\n"), { NODE_NAME: "c1" });
    if (!options.ok) {
      const { kind, message } = options.error;
      return kind === "usage" ? kind : (/--[a-z0-9-]+/.exec(message)?.[0] ?? kind);
    }
    const { listen, node, calico } = options.value;
    hold(listen.port >= 0 && listen.port <= 65_535, `port ${listen.port}`);
    hold(node !== "", "a connector without a node");
    return `read, ${calico ? "calico" : "flannel"}`;
  },
};
