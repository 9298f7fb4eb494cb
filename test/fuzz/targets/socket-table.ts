import { isIP } from "node:net";
import { parseSocketTable } from "../../../src/linux/socket-table.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "text",
  words: ["\n", " ", ":", " 0A ", " 07 ", "00000000", "0100007F", "00000000000000000000000000000000", ":0035", "G"],
  run: (input) => {
    const text = textOf(input);
    const sockets = [...parseSocketTable(text, "TCP"), ...parseSocketTable(text, "UDP")];
    for (const { address, port } of sockets) {
      hold(isIP(address) !== 0, `address ${address}`);
      hold(Number.isInteger(port) && port >= 0 && port <= 0xffff, `port ${port}`);
    }
    return `${Math.min(sockets.length, 3)} sockets`;
  },
};
