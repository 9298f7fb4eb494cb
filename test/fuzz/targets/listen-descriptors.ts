import { parseListenDescriptors } from "../../../src/linux/descriptor-store.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** The three variables, a line each. */
export const target: FuzzTarget = {
  mostBytes: 128,
  form: "text",
  words: ["\n", ":", "42\n", "2\n", "9999", "-1", "dns-udp-7f000001-53", "dns-tcp-7f000001-53"],
  run: (input) => {
    const [LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES] = textOf(input).split("\n");
    const descriptors = parseListenDescriptors({ LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES }, 42);
    const most = Number(LISTEN_FDS);
    hold(descriptors.size === 0 || descriptors.size <= most, `${descriptors.size} descriptors of ${LISTEN_FDS}`);
    for (const fd of descriptors.values()) hold(fd >= 3 && fd < 3 + most, `descriptor ${fd} of ${LISTEN_FDS}`);
    return `${Math.min(descriptors.size, 4)} descriptors`;
  },
};
