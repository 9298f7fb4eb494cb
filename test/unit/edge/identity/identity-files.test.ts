import { describe, expect, test } from "bun:test";
import { type FileReader, mountedPaths, readJoined, readMounted } from "../../../../edge/identity/identity-files.ts";

function filesOf(contents: Readonly<Record<string, string>>): FileReader {
  return {
    read: (path) => contents[path],
    list: (folder) =>
      Object.keys(contents)
        .filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1))
        .sort(),
  };
}

describe("where files are mounted", () => {
  test("is FabEdge's folder for a name, and that of its neighbours for a path", () => {
    expect(mountedPaths("/etc/fabedge/tunnels.yaml", "edgecert.pem")).toEqual({
      config: "/etc/fabedge/tunnels.yaml",
      certificate: "/etc/ipsec.d/certs/edgecert.pem",
      keys: "/etc/ipsec.d/private",
      authorities: "/etc/ipsec.d/cacerts",
    });
    expect(mountedPaths("/t", "/run/x/certs/tls.crt")).toEqual({
      config: "/t",
      certificate: "/run/x/certs/tls.crt",
      keys: "/run/x/private",
      authorities: "/run/x/cacerts",
    });
  });
});

describe("mounted files", () => {
  const paths = mountedPaths("/c/tunnels.yaml", "tls.crt");
  const mounted = {
    "/c/tunnels.yaml": "name: e1",
    "/etc/ipsec.d/certs/tls.crt": "certificate",
    "/etc/ipsec.d/cacerts/ca.crt": "one",
    "/etc/ipsec.d/cacerts/next.crt": "two",
    "/etc/ipsec.d/private/a.key": "first",
    "/etc/ipsec.d/private/tls.key": "second",
  };

  test("give the certificate with each key and all authorities", () => {
    const { config, offers, nodeKey } = readMounted(paths, filesOf(mounted));
    expect(config).toBe("name: e1");
    expect(nodeKey).toBeUndefined();
    expect(offers.map(({ from, texts }) => [from, texts.certificates, texts.key?.reveal(), texts.authorities])).toEqual(
      [
        ["/etc/ipsec.d/certs/tls.crt", "certificate", "first", "one\ntwo"],
        ["/etc/ipsec.d/certs/tls.crt", "certificate", "second", "one\ntwo"],
      ],
    );
  });

  test("give what there is", () => {
    expect(readMounted(paths, filesOf({}))).toEqual({ config: undefined, offers: [], nodeKey: undefined });
    const { "/etc/ipsec.d/certs/tls.crt": certificates } = mounted;
    const { offers } = readMounted(paths, filesOf({ "/etc/ipsec.d/certs/tls.crt": certificates }));
    expect(offers.map(({ texts }) => texts)).toEqual([{ certificates, key: undefined, authorities: "" }]);
  });
});

describe("what a node has that joined", () => {
  test("is its own key, which also the certificate of its Secret is for", () => {
    const files = filesOf({ "/t/tls.key": "key", "/t/tls.crt": "certificate", "/t/ca.crt": "authority" });
    const { nodeKey, offers } = readJoined("/t", files);
    expect(nodeKey?.reveal()).toBe("key");
    expect(offers.map(({ from, texts }) => [from, texts.certificates, texts.authorities])).toEqual([
      ["/t/tls.crt", "certificate", "authority"],
    ]);
  });

  test("is a key alone while it joins, and nothing before", () => {
    expect(readJoined("/t", filesOf({ "/t/tls.key": "key" })).offers).toEqual([]);
    expect(readJoined("/t", filesOf({}))).toEqual({ config: undefined, offers: [], nodeKey: undefined });
  });
});

test("no key shows when what was read is printed", () => {
  const found = readJoined("/t", filesOf({ "/t/tls.key": "hidden-key", "/t/tls.crt": "c", "/t/ca.crt": "a" }));
  expect(JSON.stringify(found) + Bun.inspect(found, { depth: 9 })).not.toContain("hidden-key");
});
