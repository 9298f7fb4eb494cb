import { formatPrefix } from "../../src/base/ip.ts";
import { planTunnelConnection } from "../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { Charon } from "./charon.ts";
import type { NodeCertificate } from "./charon-certificates.ts";
import type { Host } from "./host.ts";

const FOLDER = "/etc/swanctl";

/**
 * Stands in for FabEdge's connector: a plain strongSwan, loaded by swanctl with what the reference's appendix C says of
 * connector ← edge, and routes by hand. Nothing of it is our program's, except how the text of its selectors is made.
 */
export class PlainConnector {
  readonly host: Host;
  readonly charon: Charon;
  readonly #own: TunnelEndpoint;
  readonly #edges: readonly TunnelEndpoint[];

  /** @param own whose subnets are behind this very host */
  static async start(
    host: Host,
    own: TunnelEndpoint,
    edges: readonly TunnelEndpoint[],
    certificate: NodeCertificate,
    authority: string,
  ): Promise<PlainConnector> {
    await host.writeFile(`${FOLDER}/x509/own.pem`, certificate.certificate);
    await host.writeFile(`${FOLDER}/private/own.pem`, certificate.privateKey, "0600");
    await host.writeFile(`${FOLDER}/x509ca/ca.pem`, authority);
    await host.writeFile(
      `${FOLDER}/swanctl.conf`,
      `connections {\n${edges.map((edge) => formatEdge(own, edge)).join("")}}`,
    );
    const connector = new PlainConnector(host, await Charon.start(host, { role: "connector" }), own, edges);
    await connector.#load();
    return connector;
  }

  private constructor(host: Host, charon: Charon, own: TunnelEndpoint, edges: readonly TunnelEndpoint[]) {
    this.host = host;
    this.charon = charon;
    this.#own = own;
    this.#edges = edges;
  }

  /** As after a power cut: nobody is told, and nothing is left. */
  async vanish(): Promise<void> {
    await this.charon.kill();
  }

  /** After it has vanished. */
  async restart(): Promise<void> {
    await this.charon.start();
    await this.#load();
  }

  async #load(): Promise<void> {
    await this.charon.swanctl("--load-creds");
    await this.charon.swanctl("--load-conns");
    await this.#route();
  }

  async #route(): Promise<void> {
    for (const family of ["-4", "-6"]) {
      await this.host.run(["ip", family, "rule", "del", "pref", "220"]);
      await this.host.output(["ip", family, "rule", "add", "not", "fwmark", "0x42", "table", "220", "pref", "220"]);
    }
    for (const { subnets, nodeSubnets } of this.#edges) {
      for (const subnet of subnets.map(formatPrefix)) {
        const source = subnet.includes(":") ? [] : ["src", this.#own.nodeSubnets[0] ?? ""];
        await this.host.output(["ip", "route", "replace", subnet, "dev", "ipsec0", ...source, "table", "220"]);
      }
      for (const node of nodeSubnets) {
        await this.host.output(["ip", "route", "replace", node, "dev", "ipsec0", "table", "220"]);
      }
    }
  }
}

/** swanctl parts names by dots; the other end does not hear of them. */
function formatEdge(own: TunnelEndpoint, edge: TunnelEndpoint): string {
  const { name, localId, remoteId, children } = planTunnelConnection(own, edge);
  const plain = (text: string) => text.replaceAll(".", "-");
  const childTexts = children.map(
    (child) => `      ${plain(child.name)} {
        local_ts = ${child.local.map(formatPrefix).join(",")}
        remote_ts = ${child.remote.map(formatPrefix).join(",")}
        start_action = none
      }
`,
  );
  return `  ${plain(name)} {
    local {
      auth = pubkey
      certs = own.pem
      id = "${localId}"
    }
    remote {
      auth = pubkey
      id = "${remoteId}"
    }
    children {
${childTexts.join("")}    }
  }
`;
}
