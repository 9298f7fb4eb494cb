import { expect, test } from "bun:test";
import { formatCharonConfig } from "../../../../src/strongswan/charon-config.ts";

const FACTS = { role: "edge", kernelEsp: true, viciSocket: "/run/x/charon.vici", ignoredLinks: [] } as const;

/** "plugins.vici.socket" and its value, as strongswan.conf(5) nests them. */
function settings(text: string): ReadonlyMap<string, string> {
  const path: string[] = [];
  const found = new Map<string, string>();
  for (const line of text.split("\n").map((one) => one.trim())) {
    const [, name = "", value = ""] = /^([\w-]+) = (.*)$/.exec(line) ?? [];
    if (line.endsWith(" {")) path.push(line.slice(0, -2));
    else if (line === "}") path.pop();
    else if (name !== "") found.set([...path.slice(1), name].join("."), value);
    else expect(line === "" || line.startsWith("#")).toBe(true);
  }
  expect(path).toEqual([]);
  return found;
}

test("only the plugins of IKEv2 with certificates are loaded, and charon's own ESP where the kernel has none", () => {
  const plugins =
    '"random nonce openssl kdf pem pkcs1 pkcs8 x509 pubkey constraints kernel-netlink socket-default vici"';
  const kernel = settings(formatCharonConfig(FACTS));
  expect(kernel.get("load")).toBe(plugins);
  expect([...kernel.keys()].filter((name) => name.includes("fwmark"))).toEqual([]);
  const user = settings(formatCharonConfig({ ...FACTS, kernelEsp: false }));
  expect(user.get("load")).toBe(plugins.replace('"', '"kernel-libipsec '));
  expect(user.get("plugins.kernel-libipsec.allow_peer_ts")).toBe("yes");
  const marks = ["kernel-libipsec", "kernel-netlink", "socket-default"].map((plugin) =>
    user.get(`plugins.${plugin}.fwmark`),
  );
  expect(marks).toEqual(["!0x42", "!0x42", "0x42"]);
});

test("a connector bears a fleet behind one address; blocking begins above cookies at either", () => {
  const limits = (role: "edge" | "connector") => {
    const found = settings(formatCharonConfig({ ...FACTS, role }));
    return ["cookie_threshold_ip", "block_threshold", "ikesa_table_size"].map((name) => Number(found.get(name)));
  };
  expect(limits("edge")).toEqual([100, 200, 256]);
  expect(limits("connector")).toEqual([1000, 5000, 4096]);
});

test("a silent peer is given up after 13 to 17 seconds", () => {
  const found = settings(formatCharonConfig(FACTS));
  const number = (name: string) => Number(found.get(name));
  const tries = Array.from({ length: number("retransmit_tries") + 1 }, (_, i) => i);
  // strongswan.conf(5), "IKEv2 RETRANSMISSION": timeout * base ^ n, and jitter takes off as many percent at most.
  const sum = tries.reduce((total, n) => total + number("retransmit_timeout") * number("retransmit_base") ** n, 0);
  expect(sum).toBeCloseTo(16.5, 1);
  expect(sum * (1 - number("retransmit_jitter") / 100)).toBeCloseTo(13.2, 1);
});

test("links that no peer reaches are left out, and a socket's path with anything in it stays one value", () => {
  const found = settings(formatCharonConfig({ ...FACTS, ignoredLinks: ["br-fabedge", "fabedge-dummy0"] }));
  expect(found.get("interfaces_ignore")).toBe('"br-fabedge,fabedge-dummy0"');
  const odd = settings(formatCharonConfig({ ...FACTS, viciSocket: '/run/"a} #b\\' }));
  expect(odd.get("plugins.vici.socket")).toBe(String.raw`"unix:///run/\"a} #b\\"`);
});
