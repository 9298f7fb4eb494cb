import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { type Fetch, KubeClient, type KubeEndpoint } from "../../../src/kube/client.ts";
import { listObjects } from "../../../src/kube/list.ts";
import { openSource, type SourceConfig } from "../../../src/kube/source.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import { run } from "../../support/in-namespace.ts";

const realFetch: Fetch = (url, init) => fetch(url, init as RequestInit);
const forever = new AbortController().signal;

function clientOf(endpoint: KubeEndpoint): KubeClient {
  return new KubeClient(endpoint, "selvedge/test", realFetch, new SystemClock());
}

function plain(url: string, token?: string): KubeEndpoint {
  return { url: url.replace(/\/$/, ""), credentials: async () => ({ token, tls: undefined }) };
}

async function ask(endpoint: KubeEndpoint): Promise<unknown> {
  return await new Response(await clientOf(endpoint).open("get", "/version", {}, forever)).json();
}

const code = (error: unknown) => (error as { readonly code?: string }).code;

describe("the client over HTTP", () => {
  let server: Bun.Server<undefined> | undefined;
  afterEach(async () => {
    await server?.stop(true);
    delete process.env["HTTP_PROXY"];
  });
  function serve(answer: (request: Request) => Response | Promise<Response>): string {
    server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch: answer });
    return server.url.href;
  }

  test("sends who it is and what it takes", async () => {
    const url = serve((request) => Response.json(Object.fromEntries(request.headers)));
    expect(await ask(plain(url, "t"))).toMatchObject({
      "user-agent": "selvedge/test",
      accept: "application/json",
      authorization: "Bearer t",
    });
  });

  test("does not follow a redirect, which would carry the token to somebody else", async () => {
    const url = serve((request) =>
      new URL(request.url).pathname === "/version" ? Response.redirect("/elsewhere", 302) : Response.json({}),
    );
    expect(code(await ask(plain(url, "t")).catch((e) => e))).toBe("KUBE_SERVER_ERROR");
  });

  test("does not send what is for this machine through a proxy", async () => {
    const url = serve(() => Response.json({ direct: true }));
    process.env["HTTP_PROXY"] = "http://127.0.0.1:1";
    expect(await ask(plain(url))).toEqual({ direct: true });
  });

  test("takes the beginning of a refusal that is long, and the status of one that breaks off", async () => {
    const long = serve(() => new Response("x".repeat(5 * 1024 * 1024), { status: 403 }));
    const error = await ask(plain(long)).catch((e) => e);
    expect(code(error)).toBe("KUBE_FORBIDDEN");
    expect(String(error)).toEndWith(`403 "${"x".repeat(512)}"`);
    await server?.stop(true);
    const broken = createServer((socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 99\r\n\r\n{"));
    });
    await new Promise<void>((resolve) => broken.listen(0, "127.0.0.1", resolve));
    const { port } = broken.address() as AddressInfo;
    expect(code(await ask(plain(`http://127.0.0.1:${port}`)).catch((e) => e))).toBe("KUBE_FORBIDDEN");
    broken.close();
  });

  test("nobody there is KUBE_UNREACHABLE, and where that is, without what is secret in it", async () => {
    expect(await ask(plain("http://somebody:secret@127.0.0.1:1/prefix")).catch((e) => e)).toMatchObject({
      code: "KUBE_UNREACHABLE",
      message: "Cannot get /version as http://127.0.0.1:1 does not answer: current value is ECONNREFUSED",
    });
  });

  test("a list of 200 MB in one object takes a few MB of memory and leaves the others", async () => {
    const filler = new Uint8Array(1024 * 1024).fill(0x78);
    const text = (part: string) => new TextEncoder().encode(part);
    const item = (name: string) => JSON.stringify({ metadata: { namespace: "d", name } });
    const url = serve(() => {
      let sent = 0;
      return new Response(
        new ReadableStream<Uint8Array>({
          pull: (controller) => {
            if (sent === 0)
              controller.enqueue(text(`{"metadata":{"resourceVersion":"9"},"items":[${item("a")},{"x":"`));
            else if (sent <= 200) controller.enqueue(filler);
            else {
              controller.enqueue(text(`"},${item("b")}]}`));
              controller.close();
            }
            sent += 1;
          },
        }),
      );
    });
    Bun.gc(true);
    let most = 0;
    const before = process.memoryUsage().rss;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss - before);
    }, 5);
    const resource = { group: "", version: "v1", plural: "services", kind: "Service", namespaced: true };
    const list = await listObjects(
      {
        client: clientOf(plain(url)),
        source: "api-server",
        decoder: { resource, decode: () => ({ ok: true, value: 1 }) },
        fieldSelector: undefined,
        clock: new SystemClock(),
      },
      forever,
    );
    clearInterval(watch);
    expect(list.items.map((i) => i.key)).toEqual(["d/a", "d/b"]);
    expect(list.rejected[0]?.why).toBe("too large: 209715208 bytes");
    // Server, client and test share the process; the object itself would take 200 MB at least.
    expect(most).toBeLessThan(100e6);
  }, 120_000);
});

describe("the client over HTTPS", () => {
  let folder: string;
  let server: ReturnType<typeof createHttpsServer>;
  let url: string;
  const at = (name: string) => join(folder, name);

  /** A certificate authority, and certificates that it signed, as openssl makes them. */
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "selvedge-tls-"));
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    for (const ca of ["ca", "other"]) {
      run("openssl", "req", "-x509", ...key, "-keyout", at(`${ca}.key`), "-out", at(`${ca}.crt`), "-subj", `/CN=${ca}`);
    }
    const signed = (name: string, extension: string) => {
      writeFileSync(at(`${name}.ext`), extension);
      run("openssl", "req", ...key, "-keyout", at(`${name}.key`), "-out", at(`${name}.csr`), "-subj", `/CN=${name}`);
      const by = ["-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "2"];
      const to = ["-in", at(`${name}.csr`), "-out", at(`${name}.crt`), "-extfile", at(`${name}.ext`)];
      run("openssl", "x509", "-req", ...to, ...by);
    };
    signed("kubernetes", "subjectAltName=DNS:kubernetes");
    signed("node", "extendedKeyUsage=clientAuth");
    const [ca, cert, serverKey] = await Promise.all([
      readFile(at("ca.crt")),
      readFile(at("kubernetes.crt")),
      readFile(at("kubernetes.key")),
    ]);
    server = createHttpsServer(
      { ca, cert, key: serverKey, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        const { authorized } = request.socket as TLSSocket;
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ authorized }));
      },
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    url = `https://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  });
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  async function askWith({
    serverName = "kubernetes",
    ...more
  }: Partial<SourceConfig> & { readonly serverName?: string }): Promise<unknown> {
    const config: SourceConfig = {
      url: undefined,
      kubeconfig: at("config"),
      caFile: at("ca.crt"),
      certFile: undefined,
      keyFile: undefined,
      tokenFile: undefined,
      insecure: false,
      ...more,
    };
    writeFileSync(
      at("config"),
      JSON.stringify({
        "current-context": "c",
        contexts: [{ name: "c", context: { cluster: "c" } }],
        clusters: [{ name: "c", cluster: { server: url, "tls-server-name": serverName } }],
      }),
    );
    const endpoint = await openSource(config, {}, (path) => readFile(path, "utf8"));
    return await ask(endpoint).catch((error) => code(error));
  }

  test("trusts the given authority for the given name, and shows its own certificate", async () => {
    expect(await askWith({})).toEqual({ authorized: false });
    expect(await askWith({ certFile: at("node.crt"), keyFile: at("node.key") })).toEqual({ authorized: true });
  });

  test("trusts no other authority, and no other name", async () => {
    expect(await askWith({ caFile: at("other.crt") })).toBe("KUBE_UNTRUSTED");
    expect(await askWith({ serverName: "somebody" })).toBe("KUBE_UNTRUSTED");
    expect(await askWith({ serverName: "" })).toBe("KUBE_UNTRUSTED");
    expect(await askWith({ caFile: undefined })).toBe("KUBE_UNTRUSTED");
  });

  test("believes anybody when it is told to", async () => {
    expect(await askWith({ caFile: undefined, serverName: "", insecure: true })).toEqual({ authorized: false });
  });
});
