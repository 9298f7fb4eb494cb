import type { KubernetesObject } from "../../lab/service-objects.ts";
import { monotonicSeconds } from "./native.ts";
import { serveStation } from "./station.ts";

/** Writes to the API server over a few connections that stay open. */
export interface WriterCommands {
  readonly open: { readonly argument: { readonly url: string; readonly token: string }; readonly answer: null };
  readonly create: { readonly argument: readonly KubernetesObject[]; readonly answer: null };
  /** Replaces it. @returns when the server had said yes, on the machine's monotonic clock */
  readonly replace: { readonly argument: KubernetesObject; readonly answer: number };
}

const CONNECTIONS = 8;

let base = "";
let authorization = "";

async function send(method: string, path: string, body: object): Promise<void> {
  const response = await fetch(base + path, {
    method,
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify(body),
    // The lab's own server on the lab's own wire, and its certificate is its own authority.
    tls: { rejectUnauthorized: false },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot ${method} ${path}: HTTP ${response.status}: ${text}`);
}

function collectionOf({ apiVersion, kind, metadata: { namespace } }: KubernetesObject): string {
  const root = apiVersion.includes("/") ? "/apis" : "/api";
  const folder = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${root}/${apiVersion}${folder}/${kind.toLowerCase()}s`;
}

if (import.meta.main) {
  await serveStation<WriterCommands>({
    open: ({ url, token }) => {
      base = url;
      authorization = `Bearer ${token}`;
      return null;
    },
    create: async (objects) => {
      const queue = objects.values();
      const work = async () => {
        for (const object of queue) await send("POST", collectionOf(object), object);
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, work));
      return null;
    },
    replace: async (object) => {
      await send("PUT", `${collectionOf(object)}/${object.metadata.name}`, object);
      return monotonicSeconds();
    },
  });
}
