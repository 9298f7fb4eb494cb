import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import { errorCode, errorText } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { EventRecorder } from "../../src/kube/event-recorder.ts";
import type { Recovery } from "../../src/kube/recovery.ts";
import { KubeWriter } from "../../src/kube/writer.ts";
import { Exporter } from "../global-services/exporter.ts";
import { FIELD_MANAGER } from "../operator/observed-documents.ts";
import type { OperatorSettings } from "../operator/settings.ts";

export interface ServiceExportOptions {
  readonly client: KubeClient;
  readonly settings: OperatorSettings;
  /** This process, unlike any other. */
  readonly identity: string;
  readonly newEventSuffix: () => string;
  readonly recovery: Recovery;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The operator's part that speaks to other clusters of this one's Services. */
export function startServiceExport(options: ServiceExportOptions, scope: Scope): Exporter {
  const { client, settings, identity, newEventSuffix, recovery, clock, random, log } = options;
  const writer = new KubeWriter(client, FIELD_MANAGER);
  const events = new EventRecorder(
    {
      writer,
      controller: "selvedge.io/operator",
      instance: identity,
      clock,
      newSuffix: newEventSuffix,
      onFailure: (error) => log.warn("global.event", errorText(error), { code: errorCode(error) }),
    },
    scope,
  );
  const { cluster, zone, region } = settings;
  return new Exporter(
    { client, writer, events, place: { cluster, zone, region }, recovery, clock, random, log },
    scope,
  );
}
