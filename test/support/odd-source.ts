/**
 * A source that goes wrong: `odd-source.ts ADDRESS:PORT MANIFEST` answers every list with the manifest's objects of the
 * kind, whatever state they are in, and every watch with nothing. Without a manifest its answers are no JSON.
 */
const [address = "", manifest] = process.argv.slice(2);
const [hostname = "", port] = address.split(":");
const objects = manifest === undefined ? undefined : Bun.YAML.parse(await Bun.file(manifest).text());

const KINDS: Readonly<Record<string, string>> = {
  services: "Service",
  endpointslices: "EndpointSlice",
  endpoints: "Endpoints",
  nodes: "Node",
};

function listOf(kind: string): object {
  const all = [objects].flat() as readonly { readonly kind: string; readonly apiVersion: string }[];
  const items = all.filter((object) => object.kind === kind);
  const apiVersion = kind === "EndpointSlice" ? "discovery.k8s.io/v1" : "v1";
  return { kind: `${kind}List`, apiVersion, metadata: { resourceVersion: "1000" }, items };
}

Bun.serve({
  hostname,
  port: Number(port),
  idleTimeout: 0,
  fetch: (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const headers = { "content-type": "application/json" };
    if (objects === undefined) return new Response('{"kind": [[[', { headers });
    if (searchParams.get("watch") === "true")
      return new Response(new ReadableStream({ type: "direct", pull: () => new Promise(() => {}) }), { headers });
    const kind = KINDS[pathname.split("/").at(-1) ?? ""];
    return kind === undefined ? new Response("", { status: 404 }) : Response.json(listOf(kind));
  },
});
console.log("ready");

export {};
