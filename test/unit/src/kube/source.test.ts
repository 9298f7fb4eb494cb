import { describe, expect, test } from "bun:test";
import { openSource, type SourceConfig } from "../../../../src/kube/source.ts";

const NO_FILES = () => Promise.reject(new Error("no such file"));

function settings(more: Partial<SourceConfig>): SourceConfig {
  const none = { url: undefined, kubeconfig: undefined, caFile: undefined, certFile: undefined, keyFile: undefined };
  return { ...none, tokenFile: undefined, insecure: false, ...more };
}

function files(content: Readonly<Record<string, string>>) {
  return (path: string) => {
    const text = content[path];
    return text === undefined ? NO_FILES() : Promise.resolve(text);
  };
}

describe("source", () => {
  test("a wrong address is one clear sentence", async () => {
    const error = await openSource(settings({ url: "cloud:80" }), {}, NO_FILES).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "SOURCE_CONFIG", retry: "never" });
    expect(String(error)).toContain("current value is cloud:80");
  });

  test("a rotated token is read again for each request", async () => {
    const content: Record<string, string> = { "/token": "one\n" };
    const endpoint = await openSource(settings({ url: "https://h", tokenFile: "/token" }), {}, files(content));
    expect((await endpoint.credentials()).token).toBe("one");
    content["/token"] = "two\n";
    expect((await endpoint.credentials()).token).toBe("two");
  });

  test("a missing credential file is the request's failure, not the configuration's", async () => {
    const endpoint = await openSource(settings({ url: "https://h", tokenFile: "/token" }), {}, NO_FILES);
    expect(await endpoint.credentials().catch((e: unknown) => e)).toMatchObject({
      code: "KUBE_CREDENTIALS",
      message: "Cannot read credentials from /token: no such file",
      retry: "later",
    });
  });

  test("of a file where the agent's unit sees none, the hint says so: a person finds it there", async () => {
    const service = expect.stringContaining("the agent's service sees nothing under /home, /root");
    const kubeconfig = openSource(settings({ kubeconfig: "/root/.kube/config" }), {}, NO_FILES);
    await expect(kubeconfig).rejects.toMatchObject({ code: "SOURCE_CONFIG", hint: service });
    const endpoint = await openSource(settings({ url: "https://h", tokenFile: "/home/me/token" }), {}, NO_FILES);
    await expect(endpoint.credentials()).rejects.toMatchObject({ code: "KUBE_CREDENTIALS", hint: service });
    const elsewhere = openSource(settings({ kubeconfig: "/etc/kubernetes/root/config" }), {}, NO_FILES);
    await expect(elsewhere).rejects.toMatchObject({ hint: "Check that the file exists and is YAML." });
  });

  test("plain HTTP takes no TLS material, HTTPS does", async () => {
    const read = files({ "/ca": "CA" });
    const plain = await openSource(settings({ url: "http://h/", caFile: "/ca" }), {}, read);
    const secure = await openSource(settings({ url: "https://h/", caFile: "/ca" }), {}, read);
    expect(plain.url).toBe("http://h");
    expect((await plain.credentials()).tls).toBeUndefined();
    expect((await secure.credentials()).tls).toEqual({ ca: "CA", insecure: false });
  });

  test("a kubeconfig's files are beside it", async () => {
    const kubeconfig = `
current-context: a
contexts: [{name: a, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://10.0.0.1:6443", certificate-authority: pki/ca.crt}}]
users: [{name: u, user: {client-certificate: node.crt, client-key: /keys/node.key}}]
`;
    const read = files({
      "/etc/edge/config": kubeconfig,
      "/etc/edge/pki/ca.crt": "CA",
      "/etc/edge/node.crt": "CERT",
      "/keys/node.key": "KEY",
    });
    const endpoint = await openSource(settings({ kubeconfig: "/etc/edge/config" }), {}, read);
    expect(endpoint.url).toBe("https://10.0.0.1:6443");
    expect((await endpoint.credentials()).tls).toEqual({ ca: "CA", cert: "CERT", key: "KEY", insecure: false });
  });

  test("what is named by itself goes before the kubeconfig, and either can leave the certificate unverified", async () => {
    const kubeconfig = (skip: boolean) => `
current-context: a
contexts: [{name: a, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://h:1", certificate-authority-data: Q0E=, insecure-skip-tls-verify: ${skip}}}]
users: [{name: u, user: {token: theirs, client-certificate-data: Qw==, client-key-data: Sw==}}]
`;
    const read = files({
      "/k": kubeconfig(false),
      "/skip": kubeconfig(true),
      ...{ "/ca": "OUR CA", "/token": "ours", "/crt": "OUR C", "/key": "OUR K" },
    });
    const ask = async (more: Partial<SourceConfig>) => {
      const endpoint = await openSource(settings(more), {}, read);
      return { url: endpoint.url, ...(await endpoint.credentials()) };
    };
    const theirs = { ca: "CA", cert: "C", key: "K", insecure: false };
    expect(await ask({ kubeconfig: "/k" })).toEqual({ url: "https://h:1", token: "theirs", tls: theirs });
    const named = { url: "https://other", caFile: "/ca", tokenFile: "/token", certFile: "/crt", keyFile: "/key" };
    const ours = { ca: "OUR CA", cert: "OUR C", key: "OUR K", insecure: false };
    expect(await ask({ kubeconfig: "/k", ...named })).toEqual({ url: "https://other", token: "ours", tls: ours });
    expect((await ask({ kubeconfig: "/skip" })).tls?.insecure).toBe(true);
    expect((await ask({ kubeconfig: "/k", insecure: true })).tls?.insecure).toBe(true);
  });

  test("a pod finds its API server and service account", async () => {
    const account = "/var/run/secrets/kubernetes.io/serviceaccount";
    const endpoint = await openSource(
      settings({}),
      { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" },
      files({ [`${account}/token`]: "t", [`${account}/ca.crt`]: "CA" }),
    );
    expect(endpoint.url).toBe("https://[fd00::1]:6443");
    expect(await endpoint.credentials()).toEqual({ token: "t", tls: { ca: "CA", insecure: false } });
  });

  test("outside a pod, the API server needs an address or a kubeconfig", async () => {
    const error = await openSource(settings({}), {}, NO_FILES).catch((e) => e);
    expect(error).toMatchObject({ code: "SOURCE_CONFIG" });
  });
});
