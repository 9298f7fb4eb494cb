import { parseHubOptions } from "../../../cloud/wiring/hub-options.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What stands behind "hub" about planning, a word a line. */
export const target: FuzzTarget = {
  mostBytes: 512,
  form: "text",
  words: [
    "--cluster=a",
    "--cluster-cidr=10.0.0.0/8",
    "--connector-public-addresses=b",
    "--cni-type=calico",
    "--edge-pod-cidr=10.1.0.0/16",
    "--agent-mode=pod",
    "--cluster-role=member",
    "--state-dir=/s",
    "--join-listen=:3030",
    "--join-addresses=c",
    "\n",
  ],
  run: (input) => {
    const options = parseHubOptions(textOf(input).split("\n"), {});
    if (!options.ok) return options.error.kind;
    const { planning } = options.value;
    if (planning === undefined) return "no plan";
    hold(planning.settings.cluster !== "" && planning.settings.role === "host", "a plan for nobody");
    hold(planning.settings.agent.mode === "host", "pods without a cluster");
    return `${planning.settings.cni} ${planning.join !== undefined}`;
  },
};
