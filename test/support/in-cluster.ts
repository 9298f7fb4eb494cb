import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { seconds } from "../../src/base/duration.ts";
import type { Fetch, KubeEndpoint } from "../../src/kube/client.ts";
import { openSource } from "../../src/kube/source.ts";
import { ApiServer, apiServerPrograms } from "../lab/api-server.ts";
import { Lab } from "../lab/lab.ts";
import { ALL, effort } from "./effort.ts";

const KUBECONFIG = "SELVEDGE_TEST_KUBECONFIG";
const PATH = "/run/kubernetes/administrator";
const LIMIT = seconds(effort(180, 1200));

/**
 * Defines the tests of one file so that they run on a host of a lab, beside a real API server with its etcd.
 *
 * Started by `bun test`, the file is run again there, as one test whose output is that of all.
 *
 * @param file import.meta.path of the test file
 * @param flags more of kube-apiserver's
 */
export function inCluster(file: string, define: () => void, flags: readonly string[] = []): void {
  if (process.env[KUBECONFIG] !== undefined) {
    define();
    return;
  }
  describe("beside a real API server", () => {
    test(
      "every test of the file passes",
      async () => {
        await using lab = await Lab.create();
        const cloud = await lab.host("cloud");
        await cloud.connect(await lab.switch("wan"), { address: "192.0.2.1/24" });
        const server = await ApiServer.start(cloud, "192.0.2.1", await apiServerPrograms(), flags);
        await cloud.writeFile(PATH, server.administratorKubeconfig, "0600");
        const argv = [process.execPath, "test", "--timeout=30000", file];
        const env = { ...inherited(), [KUBECONFIG]: PATH };
        const { code, stdout, stderr } = await cloud.run(argv, { env, timeout: LIMIT });
        if (code !== 0) throw new Error(stderr + stdout);
        expect(stderr).toContain(" 0 fail");
        // What they have measured.
        console.log(stdout.replace(/^bun test .*\n/, "").trim());
      },
      LIMIT,
    );
  });
}

/** What a lab's host does not give: how often tests repeat themselves, and where tools are. */
function inherited(): Readonly<Record<string, string>> {
  const names = [ALL, "SELVEDGE_CACHE"];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

export const realFetch: Fetch = (url, init) => fetch(url, init as RequestInit);

/** The API server, as its administrator. */
export async function administrator(): Promise<KubeEndpoint> {
  return await openSource(
    {
      url: undefined,
      kubeconfig: process.env[KUBECONFIG],
      caFile: undefined,
      certFile: undefined,
      keyFile: undefined,
      tokenFile: undefined,
      insecure: false,
    },
    {},
    (path) => readFile(path, "utf8"),
  );
}

/** Runs kubectl as the administrator. @returns standard output @throws with what it printed, unless it succeeded */
export function kubectl(...argv: readonly string[]): string {
  const { stdout, stderr, exitCode } = Bun.spawnSync(
    [kubectlPath(), `--kubeconfig=${process.env[KUBECONFIG]}`, ...argv],
    // It ends before anything is worth collecting, and runs a thousand times.
    { env: { ...process.env, GOGC: "off" } },
  );
  if (exitCode !== 0) throw new Error(`Cannot run kubectl ${argv.join(" ")}: exit ${exitCode}: ${stderr}`);
  return stdout.toString();
}

let path: string | undefined;

function kubectlPath(): string {
  path ??= toolPath("kubectl");
  return path;
}

/** @returns the path of a program of scripts/tools */
export function toolPath(name: string): string {
  const { stdout } = Bun.spawnSync([`${import.meta.dir}/../../scripts/tools`, name]);
  const found = stdout.toString().trim().split(" ")[1];
  if (found === undefined) throw new Error(`Cannot find ${name}: scripts/tools says why`);
  return found;
}

let endpoint: Promise<KubeEndpoint> | undefined;

/**
 * A request to the API server, as its administrator. Not by kubectl, a run of which takes 50 ms of a processor and lets this
 * process stand still, with the operator under test in it.
 */
export async function request(method: string, path: string, type?: string, body?: object): Promise<Response> {
  endpoint ??= administrator();
  const { url, credentials } = await endpoint;
  const { token, tls } = await credentials();
  const headers = { authorization: `Bearer ${token}`, ...(type && { "content-type": type }) };
  return await fetch(url + path, {
    ...{ method, headers },
    ...(body && { body: JSON.stringify(body) }),
    ...(tls && { tls: { ...tls } }),
  });
}

/** What the API server answers there. */
export async function readText(path: string): Promise<string> {
  return await (await request("GET", path)).text();
}
