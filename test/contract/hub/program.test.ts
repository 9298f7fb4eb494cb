import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../lab/wait-for.ts";
import { run } from "../../support/in-namespace.ts";

const MAIN = join(import.meta.dir, "../../../cloud/main.ts");

const service = (name: string, port = 80) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {clusterIP: 10.96.0.10, ports: [{port: ${port}}]}\n`;

function spawn(...words: readonly string[]) {
  return Bun.spawn([process.execPath, MAIN, ...words], { stdout: "pipe", stderr: "pipe" });
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "selvedge-manifests-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const put = (name: string, text: string) => writeFileSync(join(folder, name), text);

/** A running hub, asked with curl. */
class Program {
  readonly #process: ReturnType<typeof spawn>;
  stderr = "";
  url = "";

  constructor(manifests: string) {
    this.#process = spawn("hub", "--manifests", manifests, "--listen", "127.0.0.1:0");
    void this.#read();
  }

  static async start(manifests: string): Promise<Program> {
    const program = new Program(manifests);
    await waitFor("the address", () => /"url":"([^"]+)\/"/.test(program.stderr));
    program.url = /"url":"([^"]+)\/"/.exec(program.stderr)?.[1] ?? "";
    return program;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stderr) this.stderr += decoder.decode(chunk);
  }

  get(path: string): unknown {
    return JSON.parse(run("curl", "-s", this.url + path));
  }

  services(): string {
    const { items } = this.get("/api/v1/services") as {
      items: { metadata: { name: string }; spec: { ports: { port: number }[] } }[];
    };
    return items.map((i) => `${i.metadata.name}:${i.spec.ports[0]?.port}`).join(" ");
  }

  get version(): number {
    return Number((this.get("/api/v1/services") as { metadata: { resourceVersion: string } }).metadata.resourceVersion);
  }

  async stop(): Promise<number> {
    this.#process.kill("SIGTERM");
    return await this.#process.exited;
  }
}

describe("selvedge-cloud hub", () => {
  test("follows files that are written in place, saved as editors do, and deleted", async () => {
    put("a.yaml", service("a"));
    const hub = await Program.start(folder);
    expect(hub.services()).toBe("a:80");
    put("a.yaml", service("a", 81));
    await waitFor("the change", () => hub.services() === "a:81");
    // vim and others write a new file and move it over the old one.
    put(".a.yaml.swp", service("a", 82));
    renameSync(join(folder, ".a.yaml.swp"), join(folder, "a.yaml"));
    await waitFor("the change", () => hub.services() === "a:82");
    put("b.yml", service("b"));
    await waitFor("the new file", () => hub.services() === "a:82 b:80");
    rmSync(join(folder, "a.yaml"));
    await waitFor("the deletion", () => hub.services() === "b:80");
    expect(await hub.stop()).toBe(0);
  });

  test("follows a ConfigMap mount, whose files are links into a folder that is swapped", async () => {
    for (const [version, port] of [
      ["..1", 81],
      ["..2", 82],
    ] as const) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, "a.yaml"), service("a", port));
    }
    symlinkSync("..1", join(folder, "..data"));
    symlinkSync("..data/a.yaml", join(folder, "a.yaml"));
    const hub = await Program.start(folder);
    expect(hub.services()).toBe("a:81");
    symlinkSync("..2", join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    await waitFor("the swap", () => hub.services() === "a:82");
    await hub.stop();
  });

  test("keeps the last good state of a file that is wrong, and says file, line and reason", async () => {
    put("a.yaml", service("a"));
    const hub = await Program.start(folder);
    put("a.yaml", `${service("a2")}oops: [\n`);
    await waitFor("the refusal", () => hub.stderr.includes("a.yaml:5: Unexpected token"));
    expect(hub.services()).toBe("a:80");
    put("a.yaml", "");
    await waitFor("the refusal", () => hub.stderr.includes("a.yaml:1: the file is empty"));
    expect(hub.services()).toBe("a:80");
    put("a.yaml", service("a", 83));
    await waitFor("the correction", () => hub.services() === "a:83");
    await hub.stop();
  });

  test("gives versions that grow over restarts, and refuses to go on from one of another run", async () => {
    put("a.yaml", service("a"));
    const first = await Program.start(folder);
    const before = first.version;
    await first.stop();
    const second = await Program.start(folder);
    expect(second.version).toBeGreaterThan(before);
    expect(second.get(`/api/v1/services?watch=true&resourceVersion=${before}`)).toMatchObject({ code: 410 });
    await second.stop();
  });

  test("an open watch shows itself at once, tells changes, and ends when it should", async () => {
    put("a.yaml", service("a"));
    const hub = await Program.start(folder);
    const path = `/api/v1/services?watch=true&resourceVersion=${hub.version}&timeoutSeconds=2`;
    const response = await fetch(hub.url + path, { signal: AbortSignal.timeout(5000) });
    expect(response.status).toBe(200);
    put("b.yaml", service("b"));
    const lines = (await response.text()).split("\n").filter((line) => line !== "");
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(["ADDED"]);
    await hub.stop();
  });

  test("stops on SIGTERM although watches are open", async () => {
    put("a.yaml", service("a"));
    const hub = await Program.start(folder);
    const watch = await fetch(`${hub.url}/api/v1/services?watch=true`);
    expect(await hub.stop()).toBe(0);
    await watch.text().catch(() => undefined);
  });
});

describe("selvedge-cloud", () => {
  async function outcome(...words: readonly string[]): Promise<string> {
    const program = spawn(...words);
    const [out, err] = await Promise.all([program.stdout.text(), program.stderr.text()]);
    return `${await program.exited} ${(out + err).split("\n")[0]}`;
  }

  test("says what is wrong in one sentence, and how by its exit status", async () => {
    put("bad.yaml", "a: 1\nb: [\n");
    expect(await outcome("hub", "--manifests", folder)).toBe(
      `78 selvedge-cloud: Cannot serve the folder ${folder}: bad.yaml:2: Unexpected token`,
    );
    expect(await outcome("hub", "--manifests", "/nowhere")).toEqual(
      expect.stringMatching(/^78 selvedge-cloud: Cannot read the folder \/nowhere \(ENOENT/),
    );
    expect(await outcome("hub")).toBe("2 selvedge-cloud: hub needs --manifests DIR");
    expect(await outcome("hub", "--manifests", folder, "--listen", "cloud")).toStartWith(
      "78 selvedge-cloud: --listen is",
    );
    expect(await outcome("--help")).toBe("0 Serves edge nodes from the cloud's side.");
    expect(await outcome("version")).toMatch(/^0 selvedge-cloud \d/);
  });

  test("an address that is taken is a wrong configuration", async () => {
    const taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    expect(await outcome("hub", "--manifests", folder, "--listen", `127.0.0.1:${taken.port}`)).toStartWith(
      "78 selvedge-cloud: Cannot listen on 127.0.0.1:",
    );
    await taken.stop(true);
  });
});
