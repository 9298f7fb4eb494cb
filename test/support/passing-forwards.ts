import { planForwardFlows } from "../../src/linux/forward-flow.ts";
import { findDroppingForwards } from "../../src/linux/forward-policy.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { prefix } from "./network-objects.ts";

/**
 * Which packets of pods the chains of this network namespace surely let pass: `bun passing-forwards.ts LINK PODS OTHERS`
 * prints "from", "to", both or nothing.
 */
if (import.meta.main) {
  const [link, pods = "", others = ""] = process.argv.slice(2);
  const nft = new Nftables();
  const flows = planForwardFlows({ link, prefixes: [prefix(pods)] }, { prefixes: [prefix(others)] });
  const passes = flows.map((flow) => findDroppingForwards(nft, () => [flow]).length === 0);
  nft.close();
  console.log(["from", "to"].filter((_, i) => passes[i]).join(" and "));
}
