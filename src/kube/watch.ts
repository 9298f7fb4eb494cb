import { type Clock, elapsed } from "../base/clock.ts";
import { type Duration, formatDuration, milliseconds, seconds } from "../base/duration.ts";
import { readChunks } from "./body.ts";
import type { KubeClient } from "./client.ts";
import { parseJson } from "./json-view.ts";
import type { ListWatchEvent, Origin } from "./list-watch-event.ts";
import { type ObjectDecoder, oversizedKey, oversizedText, parseJsonText, readObject } from "./object-reader.ts";
import { parseIdentity } from "./objects/metadata.ts";
import { OBJECT_BYTES_MAX, type Piece, parseOversizedHead } from "./piece.ts";
import { collectionPath, type Selection } from "./resource.ts";
import { badResponse, watchError } from "./status.ts";
import type { SourceTraits } from "./traits.ts";
import { LineSplitter } from "./watch-stream.ts";
import { YoungGarbage } from "./young-garbage.ts";

/** metaServer marks no end of its replay; it is over when the stream has been silent for so long. */
export const REPLAY_SILENCE = milliseconds(300);
/** Lines that make no sense, one after the other, until the stream is taken for something else. */
const BAD_LINES_MAX = 100;
const TYPE_LENGTH_MAX = 16;
/** How long after its own time-out a watch may take to end. */
const END_GRACE = seconds(15);

export interface WatchQuery<T> extends Selection {
  readonly client: KubeClient;
  readonly traits: SourceTraits;
  readonly decoder: ObjectDecoder<T>;
  readonly clock: Clock;
  readonly emit: (event: ListWatchEvent<T>) => void;
  readonly onOpen: () => void;
}

/** One watch, from its opening to its end. */
export class Watch<T> {
  readonly #query: WatchQuery<T>;
  readonly #garbage = new YoungGarbage();
  #position: string | undefined;
  #replaying: boolean;
  #lineCount = 0;
  #badLines = 0;
  #missed = false;

  /** @param position the resourceVersion to go on from; undefined: from whatever the source has */
  constructor(query: WatchQuery<T>, position: string | undefined) {
    this.#query = query;
    this.#position = query.traits.resumes ? position : undefined;
    this.#replaying = this.#position === undefined;
  }

  /** Where the next watch can go on; undefined when an event was missed, so that only a list will do. */
  get position(): string | undefined {
    return this.#missed || !this.#query.traits.resumes ? undefined : this.#position;
  }

  /** Whether not one line has come. */
  get silent(): boolean {
    return this.#lineCount === 0;
  }

  /** Ends when the source ends the watch; throws a SelvedgeError when it breaks. */
  async run(timeoutSeconds: number, signal: AbortSignal): Promise<void> {
    const { client, traits, decoder, namespace, fieldSelector, labelSelector, clock } = this.#query;
    const path = collectionPath(decoder.resource, namespace);
    const idle = traits.idle ?? ((seconds(timeoutSeconds) + END_GRACE) as Duration);
    const query = {
      watch: "true",
      allowWatchBookmarks: "true",
      timeoutSeconds: String(timeoutSeconds),
      resourceVersion: this.#position,
      fieldSelector,
      labelSelector,
    };
    const body = await client.open("watch", path, query, signal);
    this.#query.onOpen();
    const splitter = new LineSplitter(OBJECT_BYTES_MAX);
    let lastLine = clock.now();
    for await (const chunk of readChunks(body, idle, clock)) {
      const quiet = elapsed(lastLine, clock.now());
      if (this.#lineCount > 0 && quiet > REPLAY_SILENCE) this.#replaying = false;
      const linesBefore = this.#lineCount;
      for (const line of splitter.push(chunk)) this.#line(line, path);
      if (this.#lineCount > linesBefore) lastLine = clock.now();
      else if (quiet > idle) throw badResponse(`watch ${path}`, `no whole line for ${formatDuration(quiet)}`);
    }
  }

  #line(line: Piece, path: string): void {
    this.#lineCount += 1;
    this.#garbage.add(line.sizeBytes);
    if (line.oversized) {
      this.#oversized(line);
      return;
    }
    const json = parseJsonText(line.text);
    const type = parseJson(json, (event) => event.field("type").string(TYPE_LENGTH_MAX));
    if (!type.ok) {
      this.#bad("not a watch event", path);
      return;
    }
    const { object } = json as { readonly object?: unknown };
    switch (type.value) {
      case "ADDED":
        this.#upsert(object, this.#replaying ? "replay" : "live");
        break;
      case "MODIFIED":
        this.#upsert(object, "live");
        break;
      case "DELETED":
        this.#delete(object);
        break;
      case "BOOKMARK":
        this.#advance(object);
        break;
      case "ERROR":
        throw watchError(`watch ${path}`, object);
      default:
        this.#bad(`unknown event ${type.value}`, path);
        return;
    }
    this.#badLines = 0;
  }

  #upsert(json: unknown, origin: Origin): void {
    const read = readObject(json, this.#query.decoder);
    if (read.ok) {
      this.#query.emit({ type: "upsert", object: read.object, origin });
    } else {
      if (read.rejected.key === undefined) this.#missed = true;
      this.#query.emit({ type: "rejected", rejected: read.rejected });
    }
    this.#advance(json);
  }

  #delete(json: unknown): void {
    const identity = parseIdentity(json, this.#query.decoder.resource);
    if (identity.ok) {
      this.#query.emit({ type: "delete", object: identity.value });
    } else {
      this.#missed = true;
      const { at, why } = identity.error;
      this.#query.emit({ type: "rejected", rejected: { key: undefined, at: String(at), why } });
    }
    this.#advance(json);
  }

  #oversized(line: Piece): void {
    const key = oversizedKey(line, this.#query.decoder.resource);
    if (key !== undefined && parseOversizedHead(line.text).type === "DELETED") {
      this.#query.emit({ type: "delete", object: { key, uid: "", resourceVersion: "" } });
      return;
    }
    if (key === undefined) this.#missed = true;
    this.#query.emit({ type: "rejected", rejected: { key, at: "", why: oversizedText(line) } });
  }

  #bad(why: string, path: string): void {
    this.#missed = true;
    this.#badLines += 1;
    if (this.#badLines >= BAD_LINES_MAX) throw badResponse(`watch ${path}`, `${BAD_LINES_MAX} lines: ${why}`);
    this.#query.emit({ type: "rejected", rejected: { key: undefined, at: "", why } });
  }

  #advance(json: unknown): void {
    const version = parseJson(json, (object) => object.field("metadata").field("resourceVersion").optionalString(128));
    if (version.ok && version.value) this.#position = version.value;
  }
}
