import type { Change, Cluster, StoredObject } from "./cluster.ts";
import { collectionOf } from "./cluster.ts";
import { type Application, answerOf, contentOf, type Message, messageOf } from "./message.ts";

/** Collections such as "/core/v1/services" that cloudcore's own account may not read. */
export type Refusals = ReadonlySet<string>;

interface Watched {
  readonly collection: string;
  readonly name: string | undefined;
}

const CONTROLLER = "dynamiccontroller";

/**
 * cloudcore's side of one node: it answers applications and sends what is watched, one object at a time, each when the
 * one before is acknowledged. Registrations outlive the connection, what was waiting to be sent does not: the node that
 * comes back is not told what it missed.
 */
export class NodeLink {
  readonly #cluster: Cluster;
  readonly #refusals: Refusals;
  readonly #watched = new Map<string, Watched>();
  #send: ((text: string) => void) | undefined;
  #queue: Message[] = [];
  #awaited: string | undefined;
  #stuck = false;

  constructor(cluster: Cluster, refusals: Refusals) {
    this.#cluster = cluster;
    this.#refusals = refusals;
  }

  get connected(): boolean {
    return this.#send !== undefined;
  }

  /** Collections of which the node watches all, or an object. */
  get watched(): readonly string[] {
    return [...this.#watched.values()].map(({ collection }) => collection);
  }

  connect(send: (text: string) => void): void {
    this.disconnect();
    this.#send = send;
  }

  disconnect(): void {
    this.#send = undefined;
    this.#queue = [];
    this.#awaited = undefined;
  }

  tell({ operation, object }: Change): void {
    const watched = [...this.#watched.values()].some((watch) => covers(watch, object));
    if (watched) this.push("dynamiccontroller", operation, object);
  }

  /** Sends an object whether it is watched or not, as cloudcore's other controllers do. */
  push(source: string, operation: string, object: StoredObject): void {
    if (this.#send === undefined) return;
    const { namespace = "null", name, resourceVersion } = object.metadata;
    const resource = `${namespace}/${object.kind.toLowerCase()}/${name}`;
    this.#queue.push(
      messageOf({ source, group: "resource", operation, resource }, object, { resourceversion: resourceVersion }),
    );
    this.#next();
  }

  receive(text: string): void {
    const message: Message = JSON.parse(text);
    const { parent_msg_id: parent } = message.header;
    if (parent !== undefined && parent === this.#awaited) {
      this.#awaited = undefined;
      this.#next();
    } else if (message.route.source === "metaserver") {
      this.#metaServer(message);
    }
  }

  reply(request: Message, content: unknown, source: string, operation: string): void {
    const resource = request.route.resource ?? "";
    this.#send?.(JSON.stringify(answerOf(request, { source, operation, resource }, content)));
  }

  #metaServer(message: Message): void {
    if (this.#stuck) return;
    const respond = (content: unknown) => this.reply(message, content, CONTROLLER, "applicationResponse");
    if (message.route.resource?.startsWith("watchapp/sync")) {
      this.#watched.clear();
      const applications = Object.values((contentOf(message) ?? {}) as Readonly<Record<string, Application>>);
      for (const application of applications) this.#watch(application);
      respond({});
      return;
    }
    const application = contentOf(message) as Application;
    // cloudcore's informer waits for its first list for ever, in the loop that answers every node.
    this.#stuck = application.Verb === "watch" && this.#refusals.has(watchedBy(application).collection);
    if (this.#stuck) return;
    respond({ ...application, ...this.#answer(application) });
    // The answer goes first: edgecore begins to replay when it has it.
    if (application.Verb === "watch") this.#watch(application);
  }

  #answer(application: Application): object {
    const { collection, name } = watchedBy(application);
    if (this.#refusals.has(collection))
      return { Status: "Rejected", Error: statusOf(403, "Forbidden", `${collection} is forbidden to cloudcore`) };
    switch (application.Verb) {
      case "list":
        return approve(this.#cluster.list(collection, name));
      case "watch":
        return approve(null);
      default:
        return {
          Status: "Rejected",
          Error: statusOf(405, "MethodNotAllowed", `${application.Verb} is not for the lab`),
        };
    }
  }

  #watch(application: Application): void {
    const watch = watchedBy(application);
    if (this.#watched.has(application.ID) || this.#refusals.has(watch.collection)) return;
    this.#watched.set(application.ID, watch);
    for (const object of this.#cluster.objects(watch.collection, watch.name)) this.push(CONTROLLER, "insert", object);
  }

  #next(): void {
    if (this.#awaited !== undefined) return;
    const message = this.#queue.shift();
    if (message === undefined) return;
    this.#awaited = message.header.msg_id;
    this.#send?.(JSON.stringify(message));
  }
}

function watchedBy({ Key, Option }: Application): Watched {
  const [, group, version, resource] = Key.split("/");
  const options = JSON.parse(Buffer.from(Option, "base64").toString() || "{}");
  const name = /^metadata\.name=(.+)$/.exec(options.fieldSelector ?? "")?.[1];
  return { collection: `/${group}/${version}/${resource}`, name };
}

function covers({ collection, name }: Watched, object: StoredObject): boolean {
  return collection === collectionOf(object) && (name === undefined || name === object.metadata.name);
}

function approve(body: unknown): object {
  return { Status: "Approved", RespBody: Buffer.from(JSON.stringify(body)).toString("base64") };
}

function statusOf(code: number, reason: string, message: string): object {
  return { ErrStatus: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code, reason, message } };
}
