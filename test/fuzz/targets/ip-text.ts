import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import {
  formatPrefix,
  ipBytes,
  ipFamily,
  ipFromBytes,
  parseIp,
  parsePrefix,
  prefixContains,
} from "../../../src/base/ip.ts";
import { hold, holdSame, textOf, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** Two other readers judge each: Node's says which text is an address, ipaddr.js which bytes it stands for. */
export const target: FuzzTarget = {
  mostBytes: 64,
  form: "text",
  words: ["::", ":", ".", "/", "/0", "/32", "/128", "/129", "255", "256", "ffff", "0", "1.2.3.4", "::ffff:", "%eth0"],
  run: (input) => {
    const text = textOf(input);
    const prefix = parsePrefix(text);
    if (prefix.ok) {
      const { address, length } = prefix.value;
      hold(length <= (ipFamily(address) === 4 ? 32 : 128), `a prefix of ${length} bits`);
      hold(prefixContains(prefix.value, address), "a prefix that does not contain itself");
      holdSame(
        unwrap(parsePrefix(formatPrefix(prefix.value)), "what we print"),
        prefix.value,
        "printed and read again",
      );
      return `a prefix of IPv${ipFamily(address)}`;
    }
    const ip = parseIp(text);
    // A zone is somebody's interface, not part of an address.
    const expected = text.includes("%") ? 0 : isIP(text);
    hold(
      (ip.ok ? ipFamily(ip.value) : 0) === expected,
      `Node takes it for IPv${expected}, we ${ip.ok ? ip.value : "do not"}`,
    );
    if (!ip.ok) return "no address";
    // ipaddr.js takes "::1.2.3.4" for "::ffff:1.2.3.4".
    if (!/^::[\d.]+$/.test(text)) holdSame([...ipBytes(ip.value)], ipaddr.parse(text).toByteArray(), "its bytes");
    hold(ipFromBytes(ipBytes(ip.value)) === ip.value, "an address that is not canonical");
    return `IPv${ipFamily(ip.value)}${ip.value === text ? "" : ", written otherwise"}`;
  },
};
