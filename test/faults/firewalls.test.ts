import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, dig, PODS } from "../support/edge-world.ts";
import { SharedNode, WEB } from "../support/shared-node.ts";

/** As administrators write them: what is not allowed is dropped, pods are allowed, and go out under the node's address. */
const RULES = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -i cni0 -j ACCEPT
-A INPUT -p tcp --dport 22 -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i cni0 -j ACCEPT
-A FORWARD -o cni0 -m conntrack --ctstate DNAT -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 192.0.2.11/32 -p tcp --dport 8099 -j DNAT --to-destination 10.244.1.21:8080
-A POSTROUTING -s 10.244.1.0/24 ! -d 10.244.0.0/16 -j MASQUERADE
COMMIT
`;
const restore = (program: string) => `${program}-restore <<'END'\n${RULES}END`;

interface Firewall {
  readonly name: string;
  /** Makes it run, with the pods' network trusted as its own documentation says. */
  readonly start: string;
  /** Succeeds once the last of its rules is there: systemctl returns before. */
  readonly isWhole?: readonly string[];
  /** What its administrator does to it while it runs. */
  readonly handling: readonly string[];
  /** Lets pass what is forwarded to pods, too (docs/tunnels.md). */
  readonly toPods: string;
  readonly stop: string;
}

const FIREWALLS: readonly Firewall[] = [
  {
    name: "firewalld",
    start: "firewall-offline-cmd --zone=trusted --add-source=10.244.1.0/24; systemctl start firewalld",
    isWhole: ["firewall-cmd", "--state"],
    handling: [
      "firewall-cmd --reload",
      "firewall-cmd --complete-reload",
      "firewall-cmd --add-forward-port=port=8099:proto=tcp:toport=8080:toaddr=10.244.1.21",
      "systemctl restart firewalld",
    ],
    toPods: "firewall-cmd --zone=trusted --add-source=10.244.0.0/16",
    stop: "systemctl stop firewalld",
  },
  {
    name: "ufw",
    start: "ufw allow in on cni0; ufw route allow in on cni0; ufw --force enable",
    handling: ["ufw reload; ufw deny from 203.0.113.0/24", "ufw --force disable; ufw --force enable"],
    toPods: "ufw route allow out on cni0",
    stop: "ufw --force disable; iptables -P INPUT ACCEPT; iptables -P FORWARD ACCEPT",
  },
  ...["iptables-nft", "iptables-legacy"].map((program) => ({
    name: program,
    start: restore(program),
    handling: [
      restore(program),
      `${program} -I FORWARD -s 203.0.113.0/24 -j DROP`,
      `${program} -t nat -F PREROUTING; ${restore(program)}`,
      `${program} -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu`,
    ],
    toPods: `${program} -A FORWARD -o cni0 -j ACCEPT`,
    stop:
      ["filter", "nat", "mangle"].map((t) => `${program} -t ${t} -F`).join(";") +
      `;${program} -P INPUT ACCEPT; ${program} -P FORWARD ACCEPT`,
  })),
];

let node: SharedNode;
beforeAll(async () => {
  node = await SharedNode.create(["firewalld", "ufw", "iptables"]);
}, SharedNode.createLimit);
afterAll(() => node?.[Symbol.asyncDispose]());

const shell = (script: string) => node.debian.output(["sh", "-euc", script]);
/** ufw returns before the last rule is there. */
const works = () => waitFor("all services", async () => node.works().then(() => true));

describe.each(FIREWALLS.map((firewall) => [firewall.name, firewall] as const))("beside %s", (_, firewall) => {
  const { isWhole = ["true"] } = firewall;

  test(
    "services and names work, and a connection goes on, through its start, reloads and restarts",
    async () => {
      await node.works();
      const ours = await node.ours();
      for (const script of [firewall.start, ...firewall.handling]) {
        await shell(script);
        await waitFor(`${firewall.name} whole`, async () => (await node.debian.run(isWhole)).code === 0);
        await works();
        expect([script, await node.ours()]).toEqual([script, ours]);
      }
    },
    seconds(120),
  );

  test(
    "its rules, sets and routes stay what they are, byte for byte, whatever the agent does",
    async () => {
      const theirs = await node.theirs();
      expect(theirs).toMatch(/cni0|10\.244\.1\.0/);
      await node.doEverything();
      expect(await node.theirs()).toBe(theirs);
      console.log(`${theirs.split("\n").length} lines of rules and routes of others: none changed`);
    },
    seconds(120),
  );

  test("it is seen that pods' packets pass from them, and to them once it is told to", async () => {
    expect(await node.passingForwards()).toBe("from");
    await shell(firewall.toPods);
    await waitFor("both ways", async () => (await node.passingForwards()) === "from and to");
  });

  test("its end changes nothing for services", async () => {
    await shell(firewall.stop);
    await works();
  });
});

test("a firewalld that does not trust the pods' network refuses them names, which is its business, and no service", async () => {
  await shell("firewall-offline-cmd --zone=trusted --remove-source=10.244.1.0/24; systemctl start firewalld");
  const { client, edge } = node.world;
  await waitFor("its refusal", async () => (await dig(client, WEB.name)) === "no answer");
  expect(await dig(edge, WEB.name)).toBe(WEB.clusterIp);
  expect(await backendsOf(client, WEB.clusterIp)).toEqual(Object.keys(PODS));
  await shell("firewall-cmd --zone=trusted --add-source=10.244.1.0/24");
  await works();
});
