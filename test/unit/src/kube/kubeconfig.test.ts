import { describe, expect, test } from "bun:test";
import { parseKubeconfig } from "../../../../src/kube/kubeconfig.ts";

const CA = Buffer.from("PEM").toString("base64");

function config(user: object, cluster: object = {}): unknown {
  return {
    "current-context": "edge",
    contexts: [
      { name: "other", context: { cluster: "nowhere", user: "nobody" } },
      { name: "edge", context: { cluster: "c", user: "u" } },
    ],
    clusters: [{ name: "c", cluster: { server: "https://api:6443", ...cluster } }],
    users: [{ name: "u", user }],
  };
}

describe("kubeconfig", () => {
  test("reads embedded material and files of the current context", () => {
    const result = parseKubeconfig(
      config(
        { "client-certificate": "edge.crt", "client-key-data": CA, token: "t" },
        { "certificate-authority-data": CA, "tls-server-name": "kubernetes" },
      ),
    );
    expect(result).toEqual({
      ok: true,
      value: {
        server: "https://api:6443",
        serverName: "kubernetes",
        insecure: false,
        ca: { from: "data", text: "PEM" },
        cert: { from: "file", path: "edge.crt" },
        key: { from: "data", text: "PEM" },
        token: { from: "data", text: "t" },
      },
    });
  });

  test("a context that is named counts instead of the current one", () => {
    expect(parseKubeconfig(config({}), "edge")).toEqual(parseKubeconfig(config({})));
    expect(parseKubeconfig(config({}), "other")).toMatchObject({
      error: { why: '"nowhere" is not among the clusters' },
    });
    expect(parseKubeconfig(config({}), "none")).toMatchObject({ error: { why: '"none" is not among the contexts' } });
  });

  test("a token file wins over a token, as it is the one that is rotated", () => {
    const result = parseKubeconfig(config({ token: "old", tokenFile: "/run/token" }));
    expect(result.ok && result.value.token).toEqual({ from: "file", path: "/run/token" });
  });

  test("refuses what it cannot do, with a sentence", () => {
    for (const user of [{ exec: { command: "aws" } }, { "auth-provider": {} }, { username: "u", password: "p" }]) {
      const result = parseKubeconfig(config(user));
      expect(!result.ok && result.error.why).toBe(
        "not supported on a node: use a token, a token file or a client certificate",
      );
    }
  });

  test("says which name is missing where", () => {
    const broken = { ...(config({}) as object), "current-context": "typo" };
    expect(parseKubeconfig(broken)).toEqual({
      ok: false,
      error: { at: "current-context", why: '"typo" is not among the contexts' },
    });
    expect(parseKubeconfig("text").ok).toBe(false);
    for (const data of ["***", "=="]) {
      expect(parseKubeconfig(config({ "client-key-data": data }))).toEqual({
        ok: false,
        error: { at: "users[0].user.client-key-data", why: "not base64" },
      });
    }
  });
});
