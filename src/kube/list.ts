import type { Clock } from "../base/clock.ts";
import { seconds } from "../base/duration.ts";
import { errorCode } from "../base/errors.ts";
import { readChunks } from "./body.ts";
import type { KubeClient, Query } from "./client.ts";
import { parseJson } from "./json-view.ts";
import { ListSplitter } from "./list-stream.ts";
import type { Observed, Rejected } from "./list-watch-event.ts";
import { type ObjectDecoder, type ReadObject, readItem } from "./object-reader.ts";
import { OBJECT_BYTES_MAX } from "./piece.ts";
import { collectionPath, type Selection } from "./resource.ts";
import { badResponse } from "./status.ts";
import { TRAITS } from "./traits.ts";
import { isAuthoritative, type SourceKind } from "./trust.ts";
import { YoungGarbage } from "./young-garbage.ts";

/** Items asked for at once, as client-go's pager does. */
export const PAGE_LIMIT = 500;
/** Kubernetes' own threshold is 10,000 services a cluster; slices may be a few times as many. */
export const LIST_ITEMS_MAX = 50_000;
/**
 * Pages of one list: a hundred of them make the most items, and a server that filters gives fewer a page. A list of empty
 * pages would never end.
 */
export const PAGES_MAX = 1000;
/**
 * What the objects of one list may keep: three times the slices of 10,000 services. In memory they take a few times as
 * much while they are compared, which has to stay below the 256 MB at which the unit slows the agent down.
 */
export const LIST_KEPT_BYTES_MAX = 32 * 1024 * 1024;
/** What a list may send altogether, the bytes of passed-over items included. */
export const LIST_BYTES_MAX = 512 * 1024 * 1024;
/** The API server gives up a list after 60 s; a slow line gets five minutes for a page, a dripping one no more. */
const PAGE_TIMEOUT = seconds(300);
const CHUNK_IDLE = seconds(30);
const TOKEN_LENGTH_MAX = 32 * 1024;

export interface ListQuery<T> extends Selection {
  readonly client: KubeClient;
  readonly source: SourceKind;
  readonly decoder: ObjectDecoder<T>;
  readonly clock: Clock;
}

export interface ListResult<T> {
  readonly authoritative: boolean;
  readonly resourceVersion: string | undefined;
  readonly items: readonly Observed<T>[];
  readonly rejected: readonly Rejected[];
}

/** The whole collection, page by page where the source lets us. Throws a SelvedgeError when there is no whole list to be had. */
export async function listObjects<T>(query: ListQuery<T>, signal: AbortSignal): Promise<ListResult<T>> {
  try {
    return await new Lister(query, signal).run(TRAITS[query.source].pages ? PAGE_LIMIT : undefined);
  } catch (error) {
    const code = errorCode(error);
    // The continue token outlived its snapshot: one unpaged list is consistent by itself.
    if (code === "KUBE_GONE") return await new Lister(query, signal).run(undefined);
    if (code === "KUBE_NOT_FOUND" && TRAITS[query.source].missingIsEmpty) {
      return { authoritative: false, resourceVersion: undefined, items: [], rejected: [] };
    }
    throw error;
  }
}

class Lister<T> {
  readonly #query: ListQuery<T>;
  readonly #signal: AbortSignal;
  readonly #items = new Map<string, Observed<T>>();
  readonly #rejected: Rejected[] = [];
  #pageCount = 0;
  readonly #garbage = new YoungGarbage();
  #itemCount = 0;
  #keptBytes = 0;
  #sizeBytes = 0;

  constructor(query: ListQuery<T>, signal: AbortSignal) {
    this.#query = query;
    this.#signal = signal;
  }

  async run(limit: number | undefined): Promise<ListResult<T>> {
    let authoritative = true;
    let resourceVersion: string | undefined;
    let token: string | undefined;
    do {
      const page = await this.#page({
        limit: limit === undefined ? undefined : String(limit),
        continue: token,
        fieldSelector: this.#query.fieldSelector,
        labelSelector: this.#query.labelSelector,
      });
      authoritative &&= isAuthoritative(this.#query.source, page);
      resourceVersion = page.resourceVersion;
      token = page.token;
    } while (token !== undefined);
    return { authoritative, resourceVersion, items: [...this.#items.values()], rejected: this.#rejected };
  }

  async #page(query: Query) {
    const { client, decoder, namespace, clock } = this.#query;
    const path = collectionPath(decoder.resource, namespace);
    this.#pageCount += 1;
    if (this.#pageCount > PAGES_MAX) throw badResponse(`list ${path}`, `more than ${PAGES_MAX} pages`);
    const late = new AbortController();
    const timer = clock.after(PAGE_TIMEOUT, () => late.abort());
    try {
      const body = await client.open("list", path, query, AbortSignal.any([this.#signal, late.signal]));
      const splitter = new ListSplitter(OBJECT_BYTES_MAX);
      for await (const chunk of readChunks(body, CHUNK_IDLE, clock)) {
        this.#sizeBytes += chunk.length;
        for (const item of splitter.push(chunk)) {
          this.#take(readItem(item, decoder), item.sizeBytes);
          this.#checkBounds(path);
        }
        this.#checkBounds(path);
      }
      return readEnvelope(`list ${path}`, splitter);
    } finally {
      timer.cancel();
    }
  }

  #take(read: ReadObject<T>, textBytes: number): void {
    if (read.ok) {
      const { key, value } = read.object;
      this.#items.set(key, read.object);
      if (value !== undefined) this.#keptBytes += this.#query.decoder.sizeBytes?.(value) ?? 0;
    } else this.#rejected.push(read.rejected);
    this.#itemCount += 1;
    this.#garbage.add(textBytes);
  }

  #checkBounds(path: string): void {
    if (this.#itemCount > LIST_ITEMS_MAX) throw badResponse(`list ${path}`, `more than ${LIST_ITEMS_MAX} items`);
    if (this.#keptBytes > LIST_KEPT_BYTES_MAX) {
      throw badResponse(`list ${path}`, `objects of more than ${LIST_KEPT_BYTES_MAX} bytes`);
    }
    if (this.#sizeBytes > LIST_BYTES_MAX) throw badResponse(`list ${path}`, `more than ${LIST_BYTES_MAX} bytes`);
  }
}

function readEnvelope(what: string, splitter: ListSplitter) {
  const envelope = splitter.end();
  if (!envelope.ok) throw badResponse(what, envelope.error.why);
  const metadata = parseJson(envelope.value, (list) => {
    // metaServer guesses the list's kind, so it says nothing; that there are items says that this is a list.
    if (list.field("items").absent && list.field("metadata").absent) list.refuse("neither items nor metadata");
    const meta = list.field("metadata");
    const text = (field: string) => meta.field(field).optionalString(TOKEN_LENGTH_MAX) || undefined;
    return { resourceVersion: text("resourceVersion"), selfLink: text("selfLink"), token: text("continue") };
  });
  if (!metadata.ok) throw badResponse(what, `${metadata.error.at}: ${metadata.error.why}`);
  return metadata.value;
}
