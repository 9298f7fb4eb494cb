import { formatPrefix, makePrefix, type Prefix, parseIp } from "../../src/base/ip.ts";
import { Scope } from "../../src/base/scope.ts";
import { SystemClock } from "../../src/linux/system-clock.ts";
import { planTunnelConnection, type TunnelConnection } from "../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { ConnectionKeeper } from "../../src/strongswan/connection-keeper.ts";
import type { CharonCredentials, CharonState, TunnelState } from "../../src/strongswan/tunnel-state.ts";
import { ViciSession } from "../../src/strongswan/vici-session.ts";
import type { ViciFields, ViciSection } from "../../src/wire/vici-message.ts";
import { Charon, type CharonOptions } from "../lab/charon.ts";
import { CharonCertificates, type NodeCertificate } from "../lab/charon-certificates.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import type { Switch } from "../lab/switch.ts";
import { waitFor } from "../lab/wait-for.ts";

/** Nodes on one LAN, each with a charon and the keeper under test. The n-th has 192.168.1.n and pods in 10.n.0.0/24. */
export class CharonWorld implements AsyncDisposable {
  readonly lab: Lab;
  readonly certificates = new CharonCertificates();
  readonly #lan: Switch;
  readonly #nodes: CharonNode[] = [];

  static async create(): Promise<CharonWorld> {
    const lab = await Lab.create();
    return new CharonWorld(lab, await lab.switch("lan"));
  }

  private constructor(lab: Lab, lan: Switch) {
    this.lab = lab;
    this.#lan = lan;
  }

  async node(name: string, options: CharonOptions = {}): Promise<CharonNode> {
    const number = this.#nodes.length + 1;
    const host = await this.lab.host(name);
    await host.connect(this.#lan, { address: `192.168.1.${number}/24` });
    // ESP in user space wants an address of the node's in every selector; the routes are the agent's business.
    await host.ip(
      `address add 10.${number}.0.1/32 dev lo`,
      "rule add pref 220 lookup 220",
      "route add unreachable 10.0.0.0/8 table 220 metric 4278198272",
    );
    const charon = await Charon.start(host, options);
    const node = new CharonNode(
      host,
      charon,
      number,
      this.certificates.issue(`paris.${name}`),
      this.certificates.authority,
    );
    this.#nodes.push(node);
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes) await node.stopKeeper();
    await this.lab.close();
  }
}

export class CharonNode {
  readonly host: Host;
  readonly charon: Charon;
  readonly certificate: NodeCertificate;
  readonly endpoint: TunnelEndpoint;
  /** What listeners were told, in order. */
  readonly told: TunnelState[] = [];
  readonly gone: string[] = [];
  readonly charonStates: CharonState[] = [];
  credentials: CharonCredentials;
  #scope = new Scope();
  #keeper: ConnectionKeeper | undefined;

  constructor(host: Host, charon: Charon, number: number, certificate: NodeCertificate, authority: string) {
    this.host = host;
    this.charon = charon;
    this.certificate = certificate;
    this.credentials = {
      certificates: [certificate.certificate],
      privateKeys: [certificate.privateKey],
      authorities: [authority],
    };
    this.endpoint = {
      id: certificate.id,
      name: certificate.name,
      publicAddresses: [`192.168.1.${number}`],
      port: undefined,
      subnets: [network(`10.${number}.0.0`, 24)],
      nodeSubnets: [network(`192.168.1.${number}`, 32).address],
      type: "EdgeNode",
    };
  }

  get podAddress(): string {
    return this.endpoint.subnets[0]?.address.replace(/0$/, "1") ?? "";
  }

  /** The agent starts. */
  get keeper(): ConnectionKeeper {
    this.#keeper ??= new ConnectionKeeper(
      {
        viciSocket: this.charon.socket,
        clock: new SystemClock(),
        random: Math.random,
        resolve: () => Promise.reject(new Error("there is no DNS here")),
        listener: {
          onTunnel: (state) => this.told.push(state),
          onTunnelGone: (name) => this.gone.push(name),
          onCharon: (state) => this.charonStates.push(state),
        },
      },
      this.#scope,
    );
    return this.#keeper;
  }

  /** The agent ends, charon goes on. */
  async stopKeeper(): Promise<void> {
    await this.#scope.close();
    this.#scope = new Scope();
    this.#keeper = undefined;
  }

  /** @param over such as an empty list of addresses: it then waits for the peer */
  connection(peer: CharonNode, over: Partial<TunnelConnection> = {}): TunnelConnection {
    return { ...planTunnelConnection(this.endpoint, peer.endpoint), ...over };
  }

  want(...connections: readonly TunnelConnection[]): void {
    this.keeper.want({ localId: this.certificate.id, connections, credentials: this.credentials });
  }

  /** Leads what goes to those networks into the tunnels, as the agent does. */
  async route(...networks: readonly Prefix[]): Promise<void> {
    const source = this.podAddress;
    await this.host.ip(...networks.map((to) => `route replace ${formatPrefix(to)} dev ipsec0 src ${source} table 220`));
  }

  async up(peer: CharonNode): Promise<TunnelState> {
    return await waitFor(`the tunnel to ${peer.endpoint.name}`, () => {
      const state = this.keeper.tunnel(peer.endpoint.name);
      return state?.phase === "up" && state;
    });
  }

  /** Charon's names of the private keys that it has. */
  async keys(): Promise<readonly string[]> {
    return (await this.ask("get-keys")).list("keys");
  }

  /** As another program does, over a session of its own. */
  async ask(command: string, fields: ViciFields = {}): Promise<ViciSection> {
    const session = await ViciSession.open(this.charon.socket, new SystemClock(), () => {});
    try {
      return await session.request(command, fields);
    } finally {
      session.close();
    }
  }

  ikeIds(peer: CharonNode): readonly number[] {
    const associations = this.keeper.tunnel(peer.endpoint.name)?.associations ?? [];
    return associations.filter(({ state }) => state === "ESTABLISHED").map(({ uniqueId }) => uniqueId);
  }
}

function network(address: string, length: number): Prefix {
  const ip = parseIp(address);
  if (!ip.ok) throw new Error(ip.error.why);
  return makePrefix(ip.value, length);
}
