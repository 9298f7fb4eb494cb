/**
 * Stands in for cloudcore: `program.ts ADDRESS CERTIFICATES SOCKET` speaks the protocol of its CloudHub to edgecore over
 * mutual TLS, and takes orders on a Unix socket.
 */
import { join } from "node:path";
import type { KubernetesObject } from "../service-objects.ts";
import { CertificateRequests } from "./certificate-requests.ts";
import { Cluster } from "./cluster.ts";
import type { Message } from "./message.ts";
import { NodeLink } from "./node-link.ts";

/** Where edgecore expects CloudHub's WebSocket. */
const PORT = 10_000;
/** A list of some hundred objects, twice encoded. */
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

export interface Order {
  readonly put?: readonly KubernetesObject[];
  readonly remove?: readonly KubernetesObject[];
  readonly removeUnderLastVersion?: readonly KubernetesObject[];
  /** Sent as another controller of cloudcore sends it, watched or not. */
  readonly push?: { readonly source: string; readonly object: KubernetesObject };
  /** Whether cloudcore is there: where it is not, connections end and none is taken. */
  readonly reachable?: boolean;
  readonly refuse?: readonly string[];
}

export interface CloudcoreState {
  readonly connected: boolean;
  /** Frames that came from the node. */
  readonly heard: number;
  /** Collections such as "/core/v1/services". */
  readonly watched: readonly string[];
}

const [hostname = "", certificates = "", socket = ""] = process.argv.slice(2);
const file = (name: string) => join(certificates, name);

const cluster = new Cluster();
const refusals = new Set<string>();
const link = new NodeLink(cluster, refusals);
const requests = new CertificateRequests({ certFile: file("ca.crt"), keyFile: file("ca.key") });
let reachable = true;
let heard = 0;
let current: Bun.ServerWebSocket<undefined> | undefined;

Bun.serve({
  hostname,
  port: PORT,
  tls: {
    cert: Bun.file(file("cloud.crt")),
    key: Bun.file(file("cloud.key")),
    ca: Bun.file(file("ca.crt")),
    requestCert: true,
    rejectUnauthorized: true,
  },
  fetch: (request, server) =>
    reachable && server.upgrade(request, { data: undefined }) ? undefined : new Response(null, { status: 503 }),
  websocket: {
    idleTimeout: 0,
    maxPayloadLength: FRAME_BYTES_MAX,
    backpressureLimit: FRAME_BYTES_MAX,
    open: (ws) => {
      current = ws;
      link.connect((text) => ws.send(text));
    },
    message: async (ws, frame) => {
      heard += 1;
      const text = String(frame);
      const message: Message = JSON.parse(text);
      const content = await requests.answer(message);
      if (content !== undefined) link.reply(message, content, "edgecontroller", "response");
      else if (ws === current) link.receive(text);
    },
    close: (ws) => {
      if (ws === current) link.disconnect();
    },
  },
});

function obey(order: Order): void {
  for (const object of order.put ?? []) link.tell(cluster.put(object));
  for (const object of order.remove ?? []) link.tell(cluster.remove(object, "new version"));
  for (const object of order.removeUnderLastVersion ?? []) link.tell(cluster.remove(object, "last version"));
  if (order.push !== undefined) link.push(order.push.source, "insert", cluster.put(order.push.object).object);
  if (order.refuse !== undefined) {
    refusals.clear();
    for (const collection of order.refuse) refusals.add(collection);
  }
  if (order.reachable !== undefined) reachable = order.reachable;
  if (!reachable) current?.terminate();
}

Bun.serve({
  unix: socket,
  fetch: async (request) => {
    if (request.method === "POST") obey((await request.json()) as Order);
    const { connected, watched } = link;
    return Response.json({ connected, heard, watched } satisfies CloudcoreState);
  },
});

console.log("cloudcore ready");
