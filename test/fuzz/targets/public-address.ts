import { isIP } from "node:net";
import { parsePublicAddress } from "../../../src/network/public-address.ts";
import { hold, textOf, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 128,
  form: "text",
  words: ["e1", ".", "example", "-", "203.0.113.7", "2001:db8::1", "::", "%eth0", ":4500", "xn--", "256", "A"],
  run: (input) => {
    const text = textOf(input);
    const address = parsePublicAddress(text);
    if (!address.ok) {
      hold(isIP(text) === 0 || text.includes("%"), `${text} is an address`);
      return "neither";
    }
    const { value } = address;
    hold(unwrap(parsePublicAddress(value), value) === value, "read again, it is another");
    // A browser's reading of a host: what is not an address must not be taken for one by anybody.
    if (isIP(value) === 0 && !value.includes("xn--")) {
      const { hostname } = new URL(`http://${value}/`);
      hold(hostname === value, `${value} is ${hostname} to others`);
    }
    return isIP(value) === 0 ? `a name${value === text ? "" : ", written otherwise"}` : `IPv${isIP(value)}`;
  },
};
