/** A frame between cloudcore and edgecore: JSON text (beehive's pkg/core/model). */
export interface Message {
  readonly header: {
    readonly msg_id: string;
    readonly parent_msg_id?: string;
    readonly timestamp: number;
    readonly resourceversion?: string;
    readonly sync?: boolean;
  };
  readonly route: Route;
  readonly content?: unknown;
}

export interface Route {
  readonly source?: string;
  readonly group?: string;
  readonly operation?: string;
  readonly resource?: string;
}

/** What a client of metaServer asked for, as edgecore passes it on (kubeedge's pkg/metaserver/application.go). */
export interface Application {
  readonly ID: string;
  /** "/GROUP/VERSION/RESOURCE/NAMESPACE/NAME" with "core" for the core group and "null" for what is not named. */
  readonly Key: string;
  readonly Verb: string;
  /** Base64 of ListOptions as JSON. */
  readonly Option: string;
  readonly [field: string]: unknown;
}

export function messageOf(route: Route, content: unknown, more: Partial<Message["header"]> = {}): Message {
  return { header: { msg_id: crypto.randomUUID(), timestamp: Date.now(), ...more }, route, content };
}

/** The answer that edgecore waits for: it finds its request by the parent's id. */
export function answerOf(request: Message, route: Route, content: unknown): Message {
  return messageOf({ group: "resource", ...route }, content, {
    parent_msg_id: request.header.msg_id,
    sync: request.header.sync ?? false,
  });
}

/** A content comes as JSON, or as a text with JSON in it. */
export function contentOf(message: Message): unknown {
  const { content } = message;
  return typeof content === "string" ? JSON.parse(content) : content;
}
