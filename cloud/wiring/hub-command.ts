import { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import { VERSION } from "../../src/base/version.ts";
import type { ListenAddress } from "../config.ts";
import { Hub } from "../hub/hub.ts";
import { StateFolder, stateError } from "../hub/state-folder.ts";
import { JoinDesk, type Registrar } from "../join/join-desk.ts";
import { notReady, planJoinCertificate } from "../operator/admission.ts";
import { trustBundle } from "../operator/authority-plan.ts";
import { FolderOperator } from "./folder-operator.ts";
import { FolderTokens } from "./folder-tokens.ts";
import type { HubPlanning } from "./hub-options.ts";
import { JoinStation, joinNames } from "./join-station.ts";
import type { System } from "./system.ts";

export interface HubCommand {
  readonly folder: string;
  readonly listen: ListenAddress;
  readonly planning: HubPlanning | undefined;
}

/** `selvedge-cloud hub`, until its scope closes. */
export async function startHub({ folder, listen, planning }: HubCommand, system: System, scope: Scope): Promise<void> {
  const { clock } = system;
  const log = new Log(system.log, "info");
  const operator = planning && openOperator(planning, folder, listen, system, log, scope);
  const derive = operator && ((...args: Parameters<FolderOperator["derive"]>) => operator.derive(...args));
  const hub = await Hub.start({ folder, listen, derive, version: VERSION, clock, log }, scope);
  const [url, file, object_count] = [hub.url.href, folder, hub.objectCount];
  log.info("hub.serving", "The hub serves the folder", { url, file, object_count });
  if (planning === undefined || operator === undefined) return;
  lookAgain(hub, operator, system, scope);
  letNodesJoin(planning, operator, hub, system, log, scope);
}

function openOperator(
  { settings, stateDir }: HubPlanning,
  folder: string,
  { hostname }: ListenAddress,
  { clock }: System,
  log: Log,
  scope: Scope,
): FolderOperator {
  const state = new StateFolder(stateDir);
  if (state.overlaps(folder)) {
    throw stateError(`Cannot keep keys in ${stateDir} as it is not apart from the manifests: they are in ${folder}`);
  }
  state.lock(scope);
  const handsKeysOut = hostname === "::1" || hostname.startsWith("127.");
  if (!handsKeysOut) {
    const msg = "Private keys are handed out over loopback only: nodes have to join with keys of their own";
    log.warn("hub.keys", msg, { addr: hostname });
  }
  return new FolderOperator({ settings, state, handsKeysOut, wall: () => clock.wall(), log });
}

function lookAgain(hub: Hub, operator: FolderOperator, { clock }: System, scope: Scope): void {
  const again = () => {
    void hub.look();
    timer = clock.after(operator.nextLook, again);
  };
  let timer = clock.after(operator.nextLook, again);
  scope.onClose("certificates", () => timer.cancel());
}

function letNodesJoin(
  { settings, stateDir, join }: HubPlanning,
  operator: FolderOperator,
  hub: Hub,
  { clock, hash }: System,
  log: Log,
  scope: Scope,
): void {
  if (join === undefined) return;
  const registrar: Registrar = {
    bundle: async () => {
      if (operator.signer === undefined) throw notReady("nodes", "there is no authority");
      return trustBundle(operator.signer.state);
    },
    check: async (node) => {
      operator.certificateOf(node);
    },
    admit: async (node, publicKey) => {
      const certificate = await operator.admit(node, publicKey);
      // Then its Secret is served as well.
      await hub.look();
      return certificate;
    },
  };
  const desk = new JoinDesk({ tokens: new FolderTokens(stateDir), registrar, hash, clock, log });
  const { cluster, certificateOrganization, connector } = settings;
  const reached = joinNames([...connector.publicAddresses, ...join.addresses]);
  const names = planJoinCertificate(cluster, certificateOrganization, reached);
  new JoinStation({ listen: join.listen, names, signer: () => operator.signer, desk, clock, log }, scope);
}
