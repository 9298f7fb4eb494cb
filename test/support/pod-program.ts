import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { administrator, kubectl } from "./in-cluster.ts";
import { NAMESPACE } from "./operator-world.ts";

/** The compiled one. */
export const CLOUD_PROGRAM = join(import.meta.dir, "../../dist/selvedge-cloud-linux-x64");
/** Where a pod finds them. */
const ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount";

export type Environment = Readonly<Record<string, string>>;

/** What a pod finds in its file system, under its account. @returns what it finds in its environment */
export async function enterPod({ serviceAccountName }: { readonly serviceAccountName: string }): Promise<Environment> {
  const { credentials, url } = await administrator();
  const { hostname, port } = new URL(url);
  mkdirSync(ACCOUNT, { recursive: true });
  await Bun.write(`${ACCOUNT}/ca.crt`, (await credentials()).tls?.ca ?? "");
  await Bun.write(`${ACCOUNT}/token`, kubectl("create", "token", serviceAccountName, `-n${NAMESPACE}`).trim());
  return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
}

/** The compiled program beside the API server, as a container of a pod runs it. */
export class PodProgram {
  log = "";
  readonly #process: Bun.Subprocess<"ignore", "ignore", "pipe">;

  /** @param env nothing else is in its environment */
  constructor(words: readonly string[], env: Environment) {
    const options = { env, stdin: "ignore", stdout: "ignore", stderr: "pipe" } as const;
    this.#process = Bun.spawn([CLOUD_PROGRAM, ...words], options);
    void this.#collect();
  }

  /** @returns its exit code */
  async stop(): Promise<number> {
    this.#process.kill("SIGTERM");
    return await this.#process.exited;
  }

  async #collect(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stderr) this.log += decoder.decode(chunk, { stream: true });
  }
}
