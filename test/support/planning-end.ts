import type { MonotonicTime } from "../../src/base/clock.ts";
import type { TunnelConnection } from "../../src/network/tunnel-connection.ts";
import { planTunnels } from "../../src/strongswan/keeper-plan.ts";
import type { IkeAssociation } from "../../src/strongswan/security-association.ts";
import { planReplacement, type TunnelAction, type TunnelPlan } from "../../src/strongswan/tunnel-plan.ts";
import { PEER } from "./association-objects.ts";

/** One end of tunnels as its clock goes on: what it sees is given, what it does is kept. */
export class PlanningEnd {
  now = 1_000_000;
  tunnels: ReadonlyMap<string, TunnelPlan> = new Map();
  wakeIn: number | undefined;
  connections: readonly TunnelConnection[];

  constructor(...connections: readonly TunnelConnection[]) {
    this.connections = connections;
  }

  see(...associations: readonly IkeAssociation[]): readonly string[] {
    const plan = planTunnels({
      now: this.now as MonotonicTime,
      random: () => 0.5,
      connections: this.connections,
      associations: Map.groupBy(associations, ({ name }) => name),
      tunnels: this.tunnels,
    });
    this.tunnels = plan.tunnels;
    this.wakeIn = plan.wakeIn;
    return plan.actions.map(text);
  }

  after(ms: number, ...associations: readonly IkeAssociation[]): readonly string[] {
    this.now += ms;
    return this.see(...associations);
  }

  replace(...associations: readonly IkeAssociation[]): readonly string[] {
    const [connection] = this.connections;
    const before = this.tunnels.get(PEER);
    if (connection === undefined || before === undefined) throw new Error("nothing to replace");
    const plan = planReplacement({ ...before, connection }, associations, this.now as MonotonicTime);
    this.tunnels = new Map([[PEER, plan.tunnel]]);
    return plan.actions.map(text);
  }
}

function text(action: TunnelAction): string {
  if (action.do === "initiate") {
    const form = action.form === undefined ? "" : ` in ${action.form} form`;
    const at = action.turned === undefined ? "" : ` at ${action.turned.remoteAddresses[0]}`;
    return `begin ${action.child.replace(`${action.connection}-`, "")}${form}${at}`;
  }
  const which = "ikeId" in action.which ? `ike ${action.which.ikeId}` : `child ${action.which.childId}`;
  return `${action.force ? "force" : "end"} ${which}`;
}
