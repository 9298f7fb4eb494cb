import { describe, expect, test } from "bun:test";
import { type ForwardFlow, planForwardFlows } from "../../../../src/linux/forward-flow.ts";
import { JUMPS_MAX, passesForward, RULES_JUDGED_MAX } from "../../../../src/linux/forward-passage.ts";
import {
  type FilterCondition,
  type FilterRule,
  type FilterVerdict,
  UNCLEAR,
} from "../../../../src/wire/filter-rule.ts";
import { prefix } from "../../../support/network-objects.ts";

const near = { link: "br-fabedge", prefixes: [prefix("10.1.7.0/24")] };
const FLOWS = planForwardFlows(near, { prefixes: [prefix("10.1.8.0/24"), prefix("10.1.9.0/24")] });
const NOTHING_KNOWN: ForwardFlow = {
  family: 4,
  inLink: undefined,
  outLink: undefined,
  source: undefined,
  destination: undefined,
};

type Chains = Readonly<Record<string, readonly FilterRule[]>>;

/** Which of from the pods and to the pods pass. */
function passing(chains: Chains | readonly FilterRule[], flows = FLOWS, dropsByDefault = true): string {
  const all: Chains = Array.isArray(chains) ? { FORWARD: chains } : (chains as Chains);
  const passes = flows.map((flow) => passesForward(flow, "FORWARD", dropsByDefault, (name) => all[name] ?? []));
  return ["from", "to"].filter((_, i) => passes[i]).join(" and ");
}

const rule = (verdict: FilterVerdict | undefined, ...conditions: FilterCondition[]): FilterRule => ({
  conditions,
  verdict,
});
const accept: FilterVerdict = { kind: "accept" };
const drop: FilterVerdict = { kind: "drop" };
const back: FilterVerdict = { kind: "return" };
const jump = (chain: string): FilterVerdict => ({ kind: "jump", chain });
const goTo = (chain: string): FilterVerdict => ({ kind: "goto", chain });
const link = (end: "in" | "out", name: string, over = {}): FilterCondition => ({
  ...{ kind: "link", end, name, wildcard: false, inverted: false, ...over },
});
const address = (end: "source" | "destination", text: string, inverted = false): FilterCondition => ({
  ...{ kind: "address", end, prefix: prefix(text), inverted },
});
const bridgeBothWays = [rule(accept, link("in", "br-fabedge")), rule(accept, link("out", "br-fabedge"))];
const allPods = [rule(accept, address("source", "10.1.0.0/16")), rule(accept, address("destination", "10.1.0.0/16"))];

describe("what surely passes", () => {
  test("is accepted by its bridge, each way by a rule of its own", () => {
    expect(passing([])).toBe("");
    expect(passing(bridgeBothWays)).toBe("from and to");
    expect(passing(bridgeBothWays.slice(0, 1))).toBe("from");
    expect(passing(bridgeBothWays.slice(1))).toBe("to");
    expect(passing([rule(accept)])).toBe("from and to");
  });

  test("is accepted by addresses, of the pods here or of all", () => {
    expect(passing(allPods)).toBe("from and to");
    expect(passing(allPods.slice(0, 1))).toBe("from and to");
    expect(passing([rule(accept, address("source", "10.1.7.0/24"))])).toBe("from");
    expect(passing([rule(accept, address("destination", "10.1.7.0/25"))])).toBe("");
    expect(passing([rule(accept, address("destination", "10.1.8.0/24"))])).toBe("");
    expect(passing([rule(accept, address("destination", "10.1.8.0/23"))])).toBe("from");
    expect(passing([rule(accept, address("source", "192.0.2.0/24"))])).toBe("");
  });

  test("is not what another link's rule takes, nor what is not known of it", () => {
    const others = [rule(accept, link("in", "docker0")), rule(accept, link("out", "docker0"))];
    expect(passing(others)).toBe("");
    expect(passing([rule(accept, link("in", "br-", { wildcard: true }))])).toBe("from");
    expect(passing([rule(accept, link("in", "docker0", { inverted: true }))])).toBe("from");
    expect(passing([rule(accept, link("in", "br-fabedge", { inverted: true }))])).toBe("to");
    expect(passing([rule(accept, link("in", "br-fabedge"), link("out", "eth0"))])).toBe("");
    expect(passing([...bridgeBothWays, ...allPods], [NOTHING_KNOWN])).toBe("");
    expect(passing([rule(accept)], [NOTHING_KNOWN])).toBe("from");
  });

  test("is not what a rule takes under further conditions, such as the state of connections", () => {
    expect(passing(bridgeBothWays.map(({ conditions }) => rule(accept, ...conditions, UNCLEAR)))).toBe("");
    expect(passing([rule(accept, UNCLEAR), ...bridgeBothWays])).toBe("from and to");
  });

  test("is not what an address outside a prefix is, where some of it may be in there", () => {
    expect(passing([rule(accept, address("source", "192.0.2.0/24", true))])).toBe("from and to");
    expect(passing([rule(accept, address("source", "10.1.7.4/32", true))])).toBe("to");
  });

  test("is of a family, and the other one's rules are not for it", () => {
    const is = (family: 4 | 6, inverted = false): FilterCondition => ({ kind: "family", family, inverted });
    expect(passing([rule(accept, is(4))])).toBe("from and to");
    expect(passing([rule(accept, is(6, true))])).toBe("from and to");
    expect(passing([rule(accept, is(6))])).toBe("");
    expect(passing([rule(accept, address("source", "::/0"))])).toBe("");
  });
});

describe("what is refused before", () => {
  test("is not accepted by later rules", () => {
    expect(passing([rule(drop), ...bridgeBothWays])).toBe("");
    expect(passing([rule(drop, link("in", "br-fabedge")), ...bridgeBothWays])).toBe("to");
    expect(passing([rule({ kind: "unclear" }), ...bridgeBothWays])).toBe("");
  });

  test("is what comes by any link but the pods', for those that go to them", () => {
    const others = link("in", "br-fabedge", { inverted: true });
    expect(passing([rule(drop, others), ...bridgeBothWays])).toBe("from");
    expect(passing([rule(drop, others), ...allPods], [NOTHING_KNOWN])).toBe("");
    expect(passing([rule(back, link("in", "br-fabedge")), rule(accept)])).toBe("to");
    expect(passing([rule(back, link("in", "br-fabedge", { wildcard: true })), rule(accept)])).toBe("");
  });

  test("is somebody's wish where it is only some of it", () => {
    expect(passing([rule(drop, UNCLEAR), rule(drop, address("source", "10.1.7.4/32")), ...bridgeBothWays])).toBe(
      "from and to",
    );
  });

  test("does not matter for other packets", () => {
    expect(passing([rule(drop, link("in", "docker0"), link("out", "eth0")), ...bridgeBothWays])).toBe("from and to");
    expect(passing([rule(undefined), ...bridgeBothWays])).toBe("from and to");
  });
});

describe("other chains", () => {
  const by = (first: FilterRule, inside: readonly FilterRule[], ...rest: readonly FilterRule[]) =>
    passing({ FORWARD: [first, ...rest], USER: inside });

  test("count where all of it gets there", () => {
    expect(by(rule(jump("USER")), bridgeBothWays)).toBe("from and to");
    expect(by(rule(goTo("USER")), bridgeBothWays)).toBe("from and to");
    expect(by(rule(jump("USER"), link("in", "br-fabedge")), [rule(accept)])).toBe("from");
    expect(by(rule(jump("USER"), UNCLEAR), [rule(accept)])).toBe("");
    expect(by(rule(jump("USER")), [rule(drop)], rule(accept))).toBe("");
  });

  test("are left by a return, and by their end", () => {
    expect(by(rule(jump("USER")), [rule(back)], ...bridgeBothWays)).toBe("from and to");
    expect(by(rule(jump("USER")), [rule(back), rule(accept)])).toBe("");
    expect(by(rule(jump("USER")), [], rule(accept))).toBe("from and to");
    expect(by(rule(goTo("USER")), [], rule(accept))).toBe("");
    expect(by(rule(goTo("USER"), address("source", "10.1.7.0/24")), [], rule(accept))).toBe("to");
  });

  test("that some of it returns from do not take all of it", () => {
    const some = [rule(back, UNCLEAR), rule(accept)];
    expect(by(rule(jump("USER")), some)).toBe("");
    expect(by(rule(jump("USER")), some, rule(accept))).toBe("from and to");
    expect(by(rule(jump("USER")), [rule(back, UNCLEAR), rule(drop)], rule(accept))).toBe("");
  });

  test("that some of it goes to for good have to decide about that", () => {
    const away = rule(goTo("USER"), UNCLEAR);
    expect(by(away, [rule(accept)], rule(accept))).toBe("from and to");
    expect(by(away, [rule(drop)], rule(accept))).toBe("from and to");
    expect(by(away, [], rule(accept))).toBe("");
  });

  test("are followed as deep as the kernel jumps, and rules as far as the bound", () => {
    const deep = (levels: number): Chains => ({
      FORWARD: [rule(jump("1"))],
      ...Object.fromEntries(Array.from({ length: levels - 1 }, (_, i) => [`${i + 1}`, [rule(jump(`${i + 2}`))]])),
      [levels]: [rule(accept)],
    });
    expect(passing(deep(JUMPS_MAX - 1))).toBe("from and to");
    expect(passing(deep(JUMPS_MAX))).toBe("");
    const many = (count: number) => [...Array.from({ length: count }, () => rule(drop, UNCLEAR)), rule(accept)];
    expect(passing(many(RULES_JUDGED_MAX - 1))).toBe("from and to");
    expect(passing(many(RULES_JUDGED_MAX))).toBe("");
  });

  test("that lead to themselves, as no kernel has them, end the search", () => {
    expect(passing({ FORWARD: [rule(jump("FORWARD")), rule(jump("FORWARD")), rule(accept)] })).toBe("");
    const twice = Array.from({ length: 3 }, () => rule(goTo("FORWARD"), UNCLEAR));
    expect(passing({ FORWARD: [...twice, rule(drop)] })).toBe("");
  });
});

test("where a chain accepts what its rules leave, a return there lets it pass", () => {
  const firewall = [rule(back, link("in", "br-fabedge")), rule(drop)];
  expect(passing(firewall, FLOWS, false)).toBe("from");
  expect(passing(firewall, FLOWS, true)).toBe("");
  expect(passing([rule({ kind: "unclear" }), rule(drop)], FLOWS, false)).toBe("");
});

describe("the shapes of known programs", () => {
  test("docker's: its own links, and what the administrator lets pass in DOCKER-USER", () => {
    const docker = (user: readonly FilterRule[]): Chains => ({
      FORWARD: [
        rule(jump("DOCKER-USER")),
        rule(jump("DOCKER-ISOLATION-STAGE-1")),
        rule(accept, link("out", "docker0"), UNCLEAR),
        rule(jump("DOCKER"), link("out", "docker0")),
        rule(accept, link("in", "docker0"), link("out", "docker0", { inverted: true })),
        rule(accept, link("in", "docker0"), link("out", "docker0")),
      ],
      "DOCKER-USER": [...user, rule(back)],
      "DOCKER-ISOLATION-STAGE-1": [
        rule(jump("DOCKER-ISOLATION-STAGE-2"), link("in", "docker0"), link("out", "docker0", { inverted: true })),
        rule(back),
      ],
      "DOCKER-ISOLATION-STAGE-2": [rule(drop, link("out", "docker0")), rule(back)],
    });
    expect(passing(docker([]))).toBe("");
    expect(passing(docker(bridgeBothWays))).toBe("from and to");
    expect(passing(docker(bridgeBothWays.slice(1)))).toBe("to");
  });

  test("firewalld's: the zone of a source, and those of links that some may come by", () => {
    const firewalld = (...trusted: readonly FilterRule[]): Chains => ({
      FORWARD: [
        rule(accept, UNCLEAR),
        rule(accept, link("in", "lo")),
        rule(jump("IN_ZONES")),
        rule(drop, UNCLEAR),
        rule(drop),
      ],
      IN_ZONES: [...trusted, rule(goTo("FWD_public"), link("in", "eth0")), rule(goTo("FWD_public"))],
      FWD_trusted: [rule(accept)],
      FWD_public: [rule(jump("FWD_public_allow")), rule(drop)],
      FWD_public_allow: [rule(accept, UNCLEAR)],
    });
    expect(passing(firewalld())).toBe("");
    expect(passing(firewalld(rule(goTo("FWD_trusted"), address("source", "10.1.0.0/16"))))).toBe("from and to");
    expect(passing(firewalld(rule(goTo("FWD_trusted"), address("source", "10.1.7.0/24"))))).toBe("from");
  });
});
