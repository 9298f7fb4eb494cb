/**
 * A source that means harm, or has lost its mind: `hostile-source.ts ADDRESS:PORT`. `GET /hostility/NAME` makes it the
 * one of that name. However it misbehaves about services, it also has one that is sound and new, `other-NAME`, with
 * endpoints.
 */
import { type KubernetesObject, serviceObjects } from "../lab/service-objects.ts";

const MIB = 1024 * 1024;
const HUGE_MIB = 200;
const ENDPOINT = "10.244.1.22";

type Bytes = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

interface Hostility {
  /** The body of a list of services. */
  readonly list?: (sound: readonly string[]) => Bytes;
  /** The body of a watch of services; a sound service that comes late is one line. */
  readonly watch?: (late: string) => Bytes;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const BEGIN = '{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"1000"},"items":[';
const END = "]}";

const list = (...items: readonly string[]): Bytes => [BEGIN, items.join(","), END];
const filler = (mebibytes: number, byte = "x") => Array<string>(mebibytes).fill(byte.repeat(MIB));
const metadataOf = (name: string) =>
  `"metadata":{"name":"${name}","namespace":"default","uid":"${name}","resourceVersion":"9"}`;
/** Sound but for its size: what it says of affinity is kept as it is. */
const sized = (name: string, sizeBytes: number) =>
  `{${metadataOf(name)},"spec":{"sessionAffinityConfig":{"of-no-use":"${"x".repeat(sizeBytes)}"}}}`;
const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

/** Where an object has what a Service has. */
const PLACES = ["clusterIP", "clusterIPs", "ports", "type", "sessionAffinity", "externalIPs", "externalTrafficPolicy"];
const STRANGERS = ["true", "-1", "1e999", '"\\u0000"', '["a",{}]', '{"a":[]}', nested(50), `"${"x".repeat(5000)}"`];

function* wronglyTyped(): Iterable<string> {
  for (const place of PLACES)
    for (const [number, stranger] of STRANGERS.entries())
      yield `{${metadataOf(`wrong-${place.toLowerCase()}-${number}`)},"spec":{"${place}":${stranger}}}`;
  for (const stranger of STRANGERS) yield stranger;
  for (const stranger of STRANGERS) yield `{"metadata":${stranger}}`;
  for (const stranger of STRANGERS) yield `{"metadata":{"name":${stranger},"namespace":"default"}}`;
}

function* endless(piece: string, mebibytes: number): Iterable<string> {
  const batch = piece.repeat(Math.ceil(MIB / piece.length));
  for (let sent = 0; sent < mebibytes * MIB; sent += batch.length) yield batch;
}

async function* dripping(text: string): AsyncIterable<string> {
  for (const letter of text) {
    yield letter;
    await Bun.sleep(50);
  }
}

function* manySized(count: number, sizeBytes: number): Iterable<string> {
  for (let number = 0; number < count; number++) yield `,${sized(`large-${number}`, sizeBytes)}`;
}

const HOSTILITIES: Readonly<Record<string, Hostility>> = {
  none: {},
  "an-object-of-200-mb": {
    list: (sound) => [
      BEGIN,
      `{${metadataOf("huge")},"spec":{"externalName":"`,
      ...filler(HUGE_MIB),
      `"}},`,
      sound.join(),
      END,
    ],
  },
  "objects-of-wrong-types": { list: (sound) => list(...sound, ...wronglyTyped()) },
  "an-object-nested-a-million-deep": {
    list: (sound) => list(`{${metadataOf("deep")},"spec":{"ports":${nested(1_000_000)}}}`, ...sound),
  },
  "500-objects-of-1-mb": { list: (sound) => [BEGIN, sound.join(), ...manySized(500, 1_000_000), END] },
  "200-mb-of-objects": {
    list: (sound) => [BEGIN, sound.join(), ...endless(`,{${metadataOf("small")}}`, HUGE_MIB), END],
  },
  "an-envelope-of-200-mb": {
    list: (sound) => [`{"metadata":{"selfLink":"`, ...filler(HUGE_MIB), `"},"items":[`, sound.join(), END],
  },
  "a-body-that-unzips-to-200-mb": {
    headers: { "content-encoding": "gzip" },
    list: () => [Bun.gzipSync(Buffer.concat(filler(HUGE_MIB, " ").map((text) => Buffer.from(text))))],
  },
  "a-refusal-of-200-mb": { status: 500, list: () => filler(HUGE_MIB) },
  "no-json": {
    list: () => ["<html>502 Bad Gateway</html>"],
    watch: () => Array<string>(1000).fill("<html>502 Bad Gateway</html>\n"),
  },
  "a-list-cut-short": { list: (sound) => [BEGIN, sound.join()] },
  "pages-without-end": { list: () => ['{"metadata":{"resourceVersion":"1000","continue":"more"},"items":[]}'] },
  "a-byte-now-and-then": { list: (sound) => dripping(`${BEGIN}${sound.join()}${END}`.padEnd(100_000)) },
  "an-event-of-200-mb": {
    watch: (late) => [
      `{"type":"ADDED","object":{${metadataOf("huge")},"spec":{"externalName":"`,
      ...filler(HUGE_MIB),
      `"}}}\n`,
      late,
    ],
  },
  "200-mb-without-a-newline": { watch: (late) => [...filler(HUGE_MIB, " "), "\n", late] },
  "events-of-wrong-types": {
    watch: function* (late) {
      for (const object of wronglyTyped())
        for (const type of ["ADDED", "MODIFIED", "DELETED"]) yield `{"type":"${type}","object":${object}}\n`;
      yield late;
    },
  },
  "200-mb-of-senseless-lines": { watch: () => endless('{"type":7}\nnonsense\n[]\n', HUGE_MIB) },
};

const [address = ""] = process.argv.slice(2);
const [hostname = "", port] = address.split(":");
let current = "none";

function soundObjects(): readonly KubernetesObject[] {
  const names = Object.keys(HOSTILITIES);
  return [...new Set(["none", current])].flatMap((name) =>
    objectsOf(`other-${name}`, `10.96.7.${1 + names.indexOf(name)}`),
  );
}

function objectsOf(name: string, clusterIp: string): readonly KubernetesObject[] {
  const service = { name, namespace: "default", clusterIp, targetPort: 8080, endpoints: [ENDPOINT] };
  return serviceObjects(service).map((object) => ({
    ...object,
    metadata: { ...object.metadata, uid: object.metadata.name, resourceVersion: "1000" },
  }));
}

function lateLine(): string {
  return `${JSON.stringify({ type: "ADDED", object: objectsOf("late", "10.96.8.1")[0] })}\n`;
}

function soundOf(plural: string): readonly string[] {
  const kind = { services: "Service", endpointslices: "EndpointSlice" }[plural];
  const objects = soundObjects().filter((object) => object.kind === kind);
  return objects.map((object) => JSON.stringify(object));
}

function bodyOf(bytes: Bytes, stays: boolean): ReadableStream<Uint8Array> {
  const pull = async (controller: { write(piece: string | Uint8Array): void; flush(): void }) => {
    for await (const piece of bytes) {
      controller.write(piece);
      await controller.flush();
    }
    if (stays) await new Promise(() => undefined);
  };
  return new ReadableStream({ type: "direct", pull });
}

function answer(request: Request): Response {
  const { pathname, searchParams } = new URL(request.url);
  const words = pathname.split("/");
  const last = words.at(-1) ?? "";
  if (words[1] === "hostility") {
    if (HOSTILITIES[last] === undefined) return new Response("no such hostility\n", { status: 404 });
    current = last;
    return Response.json(Object.keys(HOSTILITIES));
  }
  const hostility: Hostility = last === "services" ? (HOSTILITIES[current] ?? {}) : {};
  const sound = soundOf(last);
  const json = { "content-type": "application/json" };
  if (searchParams.get("watch") === "true")
    return new Response(bodyOf(hostility.watch?.(lateLine()) ?? ["\n"], true), { headers: json });
  const { status = 200, headers = {} } = hostility;
  const body = bodyOf(hostility.list?.(sound) ?? list(...sound), false);
  return new Response(body, { status, headers: { ...json, ...headers } });
}

Bun.serve({ hostname, port: Number(port), idleTimeout: 0, fetch: answer });
console.log("ready");
