import { expect, test } from "bun:test";
import { planForwardFlows } from "../../../../src/linux/forward-flow.ts";
import { prefix } from "../../../support/network-objects.ts";

const prefixes = (...texts: readonly string[]) => texts.map(prefix);

test("flows go both ways, by the link and by the prefix that is around each side", () => {
  const near = { link: "br0", prefixes: prefixes("10.1.7.0/24") };
  const [out, back, ...more] = planForwardFlows(near, { prefixes: prefixes("10.1.8.0/24", "10.1.9.0/24") });
  const [own, remote] = [prefix("10.1.7.0/24"), prefix("10.1.8.0/23")];
  expect(out).toEqual({ family: 4, inLink: "br0", outLink: undefined, source: own, destination: remote });
  expect(back).toEqual({ family: 4, inLink: undefined, outLink: "br0", source: remote, destination: own });
  expect(more).toEqual([]);
});

test("flows are of the families that the near side has, and the far side's where it is not known", () => {
  const families = (...sides: readonly (readonly string[])[]) => {
    const [near = [], far = []] = sides;
    return planForwardFlows({ prefixes: near.map(prefix) }, { prefixes: far.map(prefix) }).map(({ family }) => family);
  };
  expect(families(["10.1.7.0/24"], ["10.1.8.0/24", "fd00::/64"])).toEqual([4, 4]);
  expect(families(["10.1.7.0/24", "fd00:7::/64"], [])).toEqual([4, 4, 6, 6]);
  expect(families([], ["fd00:8::/64"])).toEqual([6, 6]);
  expect(families([], [])).toEqual([]);
});

test("of a far side without addresses of the family nothing is known", () => {
  const flows = planForwardFlows({ prefixes: prefixes("10.1.7.0/24") }, { prefixes: prefixes("fd00::/64") });
  expect(flows.map(({ source, destination }) => [source?.length, destination?.length])).toEqual([
    [24, undefined],
    [undefined, 24],
  ]);
});
