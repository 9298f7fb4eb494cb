import { formatHostPortBook, parseHostPortBook } from "../../../edge/pod/host-port-book.ts";
import { formatReservation, parseReservation, reservedAddress } from "../../../edge/pod/reservation.ts";
import { linkAlias, parseLinkAlias, vethName } from "../../../edge/pod/veth-name.ts";
import { hold, holdSame, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What lies on the disk and on links between two runs. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "json",
  words: ["version", "pods", "containerId", "addresses", "mappings", "selvedge fabedge ", "\r\neth0"],
  run: (input) => {
    const text = textOf(input);
    const book = parseHostPortBook(text);
    holdSame(parseHostPortBook(formatHostPortBook(book)), book, "a book, written and read again");
    const address = reservedAddress(text);
    const owner = parseReservation(text);
    if (owner !== undefined) {
      hold(owner.containerId !== "" && !owner.containerId.includes("\n"), "an owner of two lines");
      holdSame(parseReservation(formatReservation(owner)), owner, "an owner");
      hold(/^veth[\da-f]{8}$/.test(vethName("fabedge", owner)), "a link's name");
    }
    const alias = parseLinkAlias("fabedge", text);
    if (alias !== undefined) holdSame(parseLinkAlias("fabedge", linkAlias("fabedge", alias)), alias, "an alias");
    return [book.length > 0, address, owner, alias].map((found) => Number(Boolean(found))).join("");
  },
};
