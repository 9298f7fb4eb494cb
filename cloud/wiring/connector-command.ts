import { minutes } from "../../src/base/duration.ts";
import { Health } from "../../src/base/health.ts";
import { foldRepeats, Log } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import { ConnectionKeeper } from "../../src/strongswan/connection-keeper.ts";
import { resolveHost } from "../../src/strongswan/host-names.ts";
import { Connector } from "../connector/connector.ts";
import { registerConnector } from "../connector/connector-metrics.ts";
import { EMPTY_SNAPSHOT, parseSnapshot, type Snapshot } from "../connector/snapshot.ts";
import { StateFolder } from "../hub/state-folder.ts";
import { openCluster } from "./cluster-access.ts";
import type { ConnectorOptions } from "./connector-options.ts";
import { claimNodeFabric } from "./fabric-claim.ts";
import { startHealthServer } from "./health-server.ts";
import type { System } from "./system.ts";

const LOG_WINDOW = minutes(1);
const SNAPSHOT = "snapshot.json";

/** `selvedge-cloud connector`, until its scope closes. */
export async function startConnector(options: ConnectorOptions, system: System, scope: Scope): Promise<void> {
  const { namespace, node, calico, kubeconfig, viciSocket, stateDir, listen, logLevel } = options;
  const { clock, random } = system;
  const log = new Log(
    foldRepeats(system.log, () => clock.now(), LOG_WINDOW),
    logLevel,
  );
  const health = new Health(
    () => clock.wall(),
    ({ code, severity, message, hint }, raised) => {
      if (!raised) log.info("connector.cleared", message, { code });
      else if (severity === "info") log.info("connector.condition", message, { code, hint });
      else log.warn("connector.condition", message, { code, hint });
    },
  );
  const metrics = new Metrics("selvedge");
  let connector: Connector | undefined;
  const notReady = () =>
    connector === undefined ? "another program keeps this node's routes to edges" : connector.status.notReady;
  const url = startHealthServer({ listen, notReady, metrics }, scope);
  log.info("connector.started", "The connector lets edges in", { url: url.href, name: node });
  await claimNodeFabric("connector", health, clock, scope);
  const state = new StateFolder(stateDir);
  connector = new Connector(
    {
      ...{ client: await openCluster(kubeconfig, system), namespace, node, calico, health, clock, random, log },
      snapshot: recall(state, log),
      remember: (text) => state.write(SNAPSHOT, text),
      openTunnels: (listener, within) =>
        new ConnectionKeeper({ viciSocket, clock, random, resolve: resolveHost, listener }, within),
    },
    scope,
  );
  registerConnector(metrics, connector, health);
  await connector.watchRoutes();
}

function recall(state: StateFolder, log: Log): Snapshot {
  const text = state.read(SNAPSHOT);
  if (text === undefined) return EMPTY_SNAPSHOT;
  const snapshot = parseSnapshot(text);
  if (snapshot.ok) return snapshot.value;
  log.warn("connector.memory", "What the last run has left is not read", { reason: snapshot.error.why });
  return EMPTY_SNAPSHOT;
}
