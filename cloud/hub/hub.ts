import type { Clock } from "../../src/base/clock.ts";
import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import { FolderWatch, readFolder } from "./folder.ts";
import { EMPTY_FOLDER, type FolderState, formatRefusal, planFolder } from "./folder-plan.ts";
import type { Manifest } from "./manifests.ts";
import { ObjectLog } from "./object-log.ts";
import { planEvents } from "./plan.ts";
import { HubServer } from "./server.ts";
import { objectUid } from "./uid.ts";

/** What is worked out from the folder, to be served beside it or in its place. */
export interface Derived {
  readonly objects: readonly Manifest[];
  /** Ids of objects that are there and are handed out to nobody. */
  readonly withheld: ReadonlySet<string>;
}

export interface HubOptions {
  readonly folder: string;
  readonly listen: { readonly hostname: string; readonly port: number };
  /** Called with every state of the folder, one after the other. */
  readonly derive?: ((manifests: readonly Manifest[]) => Promise<Derived>) | undefined;
  /** The program's own. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A folder of manifests as a Kubernetes API: what stands in for a cloud where there is none. */
export class Hub {
  #url: URL | undefined;
  readonly #options: HubOptions;
  readonly #objects: ObjectLog;
  #publish: HubServer["publish"] = () => undefined;
  #folder: FolderState = EMPTY_FOLDER;
  #derived: readonly Manifest[] = [];
  /** The look that is going on, and the last one that was asked for. */
  #looking: Promise<void> = Promise.resolve();

  /**
   * Reads the folder and listens. Throws HUB_MANIFEST when a file is wrong: there is no last good state of it yet, and
   * half a folder would take the other half's services from every node.
   */
  static async start(options: HubOptions, scope: Scope): Promise<Hub> {
    const hub = new Hub(options);
    await hub.#start(scope);
    return hub;
  }

  private constructor(options: HubOptions) {
    this.#options = options;
    this.#objects = new ObjectLog(options.clock.wall() * 1000);
  }

  async #start(scope: Scope): Promise<void> {
    const options = this.#options;
    const first = planFolder(EMPTY_FOLDER, readFolder(options.folder));
    const [refusal] = first.refusals;
    if (refusal !== undefined) {
      const more = first.refusals.length > 1 ? ` (and ${first.refusals.length - 1} more)` : "";
      throw new SelvedgeError(`Cannot serve the folder ${options.folder}: ${formatRefusal(refusal)}${more}`, {
        code: "HUB_MANIFEST",
        blame: "user",
        retry: "never",
        hint: "Correct the file; until then agents go on from their caches.",
      });
    }
    // Nobody may list before everything is there: what is missing in a list is gone for who asked.
    await this.#derive(first);
    this.#adopt(first);
    const server = new HubServer(this.#objects, options.listen, options.version, options.clock);
    scope.onClose("hub server", () => server.close());
    this.#publish = (events) => server.publish(events);
    this.#url = server.url;
    const watch = new FolderWatch(options.folder, options.clock, () => void this.look());
    scope.onClose("folder watch", () => watch.close());
  }

  get url(): URL {
    if (this.#url === undefined) throw new Error("Cannot tell the hub's address as it does not listen");
    return this.#url;
  }

  get objectCount(): number {
    return this.#objects.objects.size;
  }

  /** Looks at the folder, after the looks that were asked for before. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { folder, log } = this.#options;
    let state: FolderState;
    try {
      state = planFolder(this.#folder, readFolder(folder));
    } catch (error) {
      // A folder that is away for a moment, as while it is swapped, takes nothing along.
      return log.warn("hub.folder", errorText(error), { file: folder });
    }
    // What was worked out before is served on.
    await this.#derive(state).catch((error) => log.error("hub.derive", errorText(error), { code: errorCode(error) }));
    this.#adopt(state);
  }

  async #derive(folder: FolderState): Promise<void> {
    const derived = await this.#options.derive?.(manifestsOf(folder));
    if (derived === undefined) return;
    this.#derived = derived.objects;
    this.#objects.withheld = derived.withheld;
  }

  #adopt(folder: FolderState): void {
    const { log } = this.#options;
    const before = this.#folder;
    this.#folder = folder;
    const manifests = new Map([...manifestsOf(folder), ...this.#derived].map((manifest) => [manifest.id, manifest]));
    const events = planEvents(this.#objects.objects, [...manifests.values()], this.#objects.version, objectUid);
    this.#objects.append(events);
    this.#publish(events);
    if (events.length > 0) log.info("hub.changed", "The folder has changed", { object_count: events.length });
    const known = new Set(before.refusals.map(formatRefusal));
    for (const refusal of folder.refusals) {
      const text = formatRefusal(refusal);
      if (!known.has(text)) log.error("hub.refused", `${text}; its last good state is served`, { file: refusal.path });
    }
    for (const [path, { passedOver }] of folder.files) {
      if (passedOver.length === 0 || before.files.get(path) === folder.files.get(path)) continue;
      const kinds = [...new Set(passedOver)].join(", ");
      log.warn("hub.passed_over", `The hub does not serve ${kinds}`, { file: path, count: passedOver.length });
    }
  }
}

function manifestsOf(folder: FolderState): readonly Manifest[] {
  return [...folder.files.values()].flatMap((file) => file.manifests);
}
