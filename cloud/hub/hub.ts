import type { Clock } from "../../src/base/clock.ts";
import { errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import { FolderWatch, readFolder } from "./folder.ts";
import { EMPTY_FOLDER, type FolderState, formatRefusal, planFolder } from "./folder-plan.ts";
import { ObjectLog } from "./object-log.ts";
import { planEvents } from "./plan.ts";
import { HubServer } from "./server.ts";
import { objectUid } from "./uid.ts";

export interface HubOptions {
  readonly folder: string;
  readonly listen: { readonly hostname: string; readonly port: number };
  /** The program's own. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A folder of manifests as a Kubernetes API: what stands in for a cloud where there is none. */
export class Hub {
  readonly url: URL;
  readonly #options: HubOptions;
  readonly #objects: ObjectLog;
  #publish: HubServer["publish"] = () => undefined;
  #folder: FolderState = EMPTY_FOLDER;

  /**
   * Reads the folder and listens. Throws HUB_MANIFEST when a file is wrong: there is no last good state of it yet, and
   * half a folder would take the other half's services from every node.
   */
  constructor(options: HubOptions, scope: Scope) {
    this.#options = options;
    this.#objects = new ObjectLog(options.clock.wall() * 1000);
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
    this.#adopt(first);
    const server = new HubServer(this.#objects, options.listen, options.version, options.clock);
    scope.onClose("hub server", () => server.close());
    this.#publish = (events) => server.publish(events);
    this.url = server.url;
    const watch = new FolderWatch(options.folder, options.clock, () => this.look());
    scope.onClose("folder watch", () => watch.close());
  }

  get objectCount(): number {
    return this.#objects.objects.size;
  }

  /** Looks at the folder now. */
  look(): void {
    const { folder, log } = this.#options;
    try {
      this.#adopt(planFolder(this.#folder, readFolder(folder)));
    } catch (error) {
      // A folder that is away for a moment, as while it is swapped, takes nothing along.
      log.warn("hub.folder", errorText(error), { file: folder });
    }
  }

  #adopt(folder: FolderState): void {
    const { log } = this.#options;
    const before = this.#folder;
    this.#folder = folder;
    const manifests = [...folder.files.values()].flatMap((file) => file.manifests);
    const events = planEvents(this.#objects.objects, manifests, this.#objects.version, objectUid);
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
