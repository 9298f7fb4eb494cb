import { parseOperatorOptions } from "../../../cloud/operator/operator-options.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const NEEDED = ["--cluster=a", "--cni-type=flannel", "--cluster-cidr=10.0.0.0/8", "--connector-public-addresses=b"];

/** A command line, a word a line, behind what is needed. */
export const target: FuzzTarget = {
  mostBytes: 512,
  form: "text",
  words: [
    "--edge-pod-cidr=",
    "--edge-cidr-mask-size",
    "--cni-type=calico",
    "--connector-public-port=",
    "--http-bind=",
    "--leader-lease-duration=",
    "--edge-labels=",
    "--connector-as-mediator",
    "10.1.0.0/16",
    "fd00::/48",
    "[::1]:80",
    "15s",
    ",",
    "=",
    "\n",
    "--",
  ],
  run: (input) => {
    const options = parseOperatorOptions([...NEEDED, ...textOf(input).split("\n")], {});
    if (!options.ok) {
      const { kind, message } = options.error;
      return kind === "usage" ? kind : (/--[a-z0-9-]+/.exec(message)?.[0] ?? kind);
    }
    const { settings, timing, listen } = options.value;
    hold(timing.leaseDuration > timing.renewDeadline && timing.renewDeadline > timing.retryPeriod, "no election");
    hold(listen.port >= 0 && listen.port <= 65_535, `port ${listen.port}`);
    hold(settings.connector.publicPort >= 1 && settings.connector.publicPort <= 65_535, "no port");
    for (const { cidr, blockLength } of settings.edgePools)
      hold(blockLength > cidr.length, "a part as large as its pool");
    return `${settings.cni} ${settings.edgePools.length}`;
  },
};
