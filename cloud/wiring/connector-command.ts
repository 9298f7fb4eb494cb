import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import { ConnectionKeeper } from "../../src/strongswan/connection-keeper.ts";
import { resolveHost } from "../../src/strongswan/host-names.ts";
import { Connector } from "../connector/connector.ts";
import { registerConnector } from "../connector/connector-metrics.ts";
import { EMPTY_SNAPSHOT, parseSnapshot, type Snapshot } from "../connector/snapshot.ts";
import { StateFolder } from "../hub/state-folder.ts";
import { openCluster } from "./cluster-access.ts";
import type { ConnectorOptions } from "./connector-options.ts";
import { startNodeProgram } from "./node-program.ts";
import type { System } from "./system.ts";

const SNAPSHOT = "snapshot.json";

/** `selvedge-cloud connector`, until its scope closes. */
export async function startConnector(options: ConnectorOptions, system: System, scope: Scope): Promise<void> {
  const { namespace, node, calico, kubeconfig, viciSocket, stateDir } = options;
  const { clock, random } = system;
  let connector: Connector | undefined;
  const greeting = "The connector lets edges in";
  const worker = () => connector?.status;
  const program = await startNodeProgram({ component: "connector", greeting, worker }, options, system, scope);
  const { log, health, metrics } = program;
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
