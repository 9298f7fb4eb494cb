import { type Duration, milliseconds, seconds } from "../base/duration.ts";
import type { SourceKind } from "./trust.ts";

/** How a source's watches behave. */
export interface SourceTraits {
  /**
   * A watch goes on from the resourceVersion that it was given. Where it does not (metaServer), it begins with every
   * stored object as ADDED, ghosts of deleted ones included, and drops what comes at that moment: there is a list while
   * each watch is open.
   */
  readonly resumes: boolean;
  /** A 404 to a list says "never cached", not "no such type". */
  readonly missingIsEmpty: boolean;
  /**
   * A list may be asked for page by page. A proxy that keeps what it passes on takes each page for the whole list, and
   * answers with the last one once it is cut off (lite-apiserver's cacheKey, YurtHub's ReplaceComponentList).
   */
  readonly pages: boolean;
  /** timeoutSeconds of a watch, drawn between the two. */
  readonly watchSeconds: readonly [least: number, most: number];
  /** The same while the cloud is not answering: the next list is the only way to learn that it is back. */
  readonly untrustedWatchSeconds: readonly [least: number, most: number];
  /** A watch without one whole line for so long is dead; undefined: quiet is normal, until its own time-out. */
  readonly idle: Duration | undefined;
  /** Up to so long a node waits with a list after a 410, so that those of all nodes do not come together. */
  readonly spread: Duration;
}

/** Bookmarks come once a minute. */
const BOOKMARK_IDLE = seconds(90);
/** 5,000 nodes with seven lists each are 600 lists a second. */
const FLEET_SPREAD = seconds(60);

const API_SERVER: SourceTraits = {
  resumes: true,
  missingIsEmpty: false,
  pages: true,
  watchSeconds: [300, 600],
  untrustedWatchSeconds: [300, 600],
  idle: BOOKMARK_IDLE,
  spread: FLEET_SPREAD,
};

const CACHING_PROXY: SourceTraits = {
  ...API_SERVER,
  missingIsEmpty: true,
  pages: false,
  untrustedWatchSeconds: [60, 90],
};

export const TRAITS: Readonly<Record<SourceKind, SourceTraits>> = {
  // Short watches: events are dropped, registrations are lost when cloudcore restarts, and closing one repairs them.
  metaserver: {
    resumes: false,
    missingIsEmpty: false,
    pages: true, // it keeps what watches bring, and no list
    watchSeconds: [60, 300],
    untrustedWatchSeconds: [60, 300],
    idle: undefined,
    spread: milliseconds(0), // no watch of it resumes, so none is too old
  },
  yurthub: CACHING_PROXY,
  "lite-apiserver": CACHING_PROXY,
  "api-server": API_SERVER,
  hub: { ...API_SERVER, spread: milliseconds(0) }, // a handful of devices
};
