import { type Authority, issueAuthority, issueLeaf } from "../../../src/certificate/issue.ts";
import { PrivateKey } from "../../../src/certificate/private-key.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import { planTunnelConnection, type TunnelConnection } from "../../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../../src/network/tunnel-endpoint.ts";
import { CharonCommands } from "../../../src/strongswan/charon-commands.ts";
import { ViciSession } from "../../../src/strongswan/vici-session.ts";
import { Charon } from "../../lab/charon.ts";
import type { Host } from "../../lab/host.ts";
import { ip, prefix } from "../../support/network-objects.ts";

const DAY_MS = 86_400_000;
const ORGANIZATION = "fabedge.io";

/** Certificates of a cluster that has no operator. */
export class FleetAuthority {
  readonly #authority: Authority;
  /** Everybody's: that many keys would only take longer to make. */
  readonly key = PrivateKey.generate();
  readonly #validity = { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + DAY_MS };

  constructor() {
    this.#authority = issueAuthority(PrivateKey.generate(), nameOf("fleet"), this.#validity);
  }

  get certificate(): string {
    return this.#authority.certificate;
  }

  issue(name: string): string {
    const publicKey = this.key.publicKey();
    const subject = nameOf(name);
    return issueLeaf(this.#authority, { ...this.#validity, subject, dnsNames: [], addresses: [], publicKey });
  }
}

function nameOf(commonName: string) {
  return { country: "CN", organization: ORGANIZATION, commonName };
}

/** @param number from 0 */
export function fleetEdge(number: number): TunnelEndpoint {
  const [high, low] = [number >> 8, number & 0xff];
  const name = `paris.e${number}`;
  return {
    id: `C=CN, O=${ORGANIZATION}, CN=${name}`,
    name,
    publicAddresses: [],
    port: undefined,
    subnets: [prefix(`10.${100 + high}.${low}.0/24`)],
    nodeSubnets: [ip(`172.${16 + high}.${low}.1`)],
    type: "EdgeNode",
  };
}

/** Many edge nodes behind one address, in one charon: an identity, a certificate and a connection each. */
export class EdgeFleet {
  readonly charon: Charon;
  readonly #edges: readonly TunnelEndpoint[];
  readonly #connector: TunnelEndpoint;
  readonly #authority: FleetAuthority;
  readonly #certificates: readonly string[];

  static async start(
    host: Host,
    count: number,
    connector: TunnelEndpoint,
    authority: FleetAuthority,
  ): Promise<EdgeFleet> {
    const edges = Array.from({ length: count }, (_, number) => fleetEdge(number));
    // Charon's own ESP wants an address of the host in each local selector.
    const addresses = edges.flatMap(({ subnets, nodeSubnets }) => [
      ...subnets.map(({ address }) => address.replace(/0$/, "1")),
      ...nodeSubnets,
    ]);
    await host.ip(
      "link add fleet type bridge",
      "link set fleet up",
      ...addresses.map((own) => `address add ${own}/32 dev fleet`),
    );
    return new EdgeFleet(edges, connector, authority, await Charon.start(host));
  }

  private constructor(
    edges: readonly TunnelEndpoint[],
    connector: TunnelEndpoint,
    authority: FleetAuthority,
    charon: Charon,
  ) {
    this.#edges = edges;
    this.#connector = connector;
    this.#authority = authority;
    this.#certificates = edges.map(({ name }) => authority.issue(name));
    this.charon = charon;
  }

  /** All edges lose power. */
  async vanish(): Promise<void> {
    await this.charon.kill();
  }

  /** They are there again, and have begun nothing yet. */
  async boot(): Promise<void> {
    await this.charon.start();
  }

  /** Loads a connection for each edge, and begins all of them at once. @returns when charon has been told all */
  async connect(): Promise<void> {
    const session = await ViciSession.open(this.charon.socket, new SystemClock(), () => {});
    const commands = new CharonCommands(session);
    await commands.loadAuthority("fleet", this.#authority.certificate);
    await commands.loadKey(this.#authority.key.pem());
    const connections = this.#edges.map((edge) => connectionOf(edge, this.#connector));
    for (const [i, connection] of connections.entries()) {
      await commands.loadConnection(connection, [this.#certificates[i] ?? ""]);
    }
    for (const { name, children } of connections) {
      for (const child of children) await commands.initiate(name, child.name);
    }
    session.close();
  }
}

/** Named after the edge: that is nobody's business but this charon's. */
function connectionOf(edge: TunnelEndpoint, connector: TunnelEndpoint): TunnelConnection {
  const planned = planTunnelConnection(edge, connector);
  const children = planned.children.map((child) => ({ ...child, name: child.name.replace(connector.name, edge.name) }));
  return { ...planned, name: edge.name, children };
}
