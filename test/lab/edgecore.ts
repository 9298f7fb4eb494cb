import { seconds } from "../../src/base/duration.ts";
import type { EdgeCertificates } from "./edge-certificates.ts";
import type { Host } from "./host.ts";
import type { LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

const FOLDER = "/etc/kubeedge";
const CONFIG = `${FOLDER}/config/edgecore.yaml`;
/** Also how long edgecore does not see that cloudcore hung up; half of how long it waits before it connects again. */
const HEARTBEAT_SECONDS = 1;
const START_TIMEOUT = seconds(60);

export interface EdgecoreOptions {
  readonly program: string;
  readonly node: string;
  readonly cloudAddress: string;
  readonly certificates: EdgeCertificates;
  /** The feature gate requireAuthorization: HTTPS, tokens and RBAC. Holds the public key (PEM) that tokens are checked with. */
  readonly requireAuthorization?: { readonly tokenKey: string } | undefined;
}

/**
 * A real edgecore on a host of the lab with what metaServer needs: the connection to the cloud, the store and metaServer;
 * neither pods nor devices. The host needs a default route, without which edgecore before 1.18 does not start.
 */
export class Edgecore {
  readonly url: string;
  readonly #host: Host;
  readonly #program: string;
  #process: LabProcess | undefined;

  /** Writes its files; it does not run yet. */
  static async install(host: Host, options: EdgecoreOptions): Promise<Edgecore> {
    const { certificates, requireAuthorization } = options;
    const files = {
      "ca/rootCA.crt": "ca.crt",
      "certs/server.crt": "node.crt",
      "certs/server.key": "node.key",
      "certs/metaserver.crt": "metaserver.crt",
      "certs/metaserver.key": "metaserver.key",
    };
    for (const [path, name] of Object.entries(files))
      await host.writeFile(`${FOLDER}/${path}`, await certificates.read(name), "0600");
    if (requireAuthorization !== undefined)
      await host.writeFile(`${FOLDER}/certs/tokens.pub`, requireAuthorization.tokenKey);
    await host.writeFile(CONFIG, Bun.YAML.stringify(configOf(options), null, 2));
    return new Edgecore(host, options);
  }

  private constructor(host: Host, { program, requireAuthorization }: EdgecoreOptions) {
    this.url = `${requireAuthorization === undefined ? "http" : "https"}://127.0.0.1:10550`;
    this.#host = host;
    this.#program = program;
  }

  /** Starts the process, with whatever store is there. @returns when metaServer listens */
  async start(): Promise<void> {
    await this.launch();
    await waitFor("metaServer", () => this.listens(), { timeout: START_TIMEOUT });
  }

  /** Starts the process only. */
  async launch(): Promise<void> {
    this.#process = await this.#host.spawn([this.#program, "--config", CONFIG]);
  }

  async listens(): Promise<boolean> {
    return (await this.#host.output(["ss", "--no-header", "-ltn", "sport", "=", ":10550"])) !== "";
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** @returns when this process has been connected to its cloud once */
  async connected(): Promise<void> {
    await this.#process?.waitForLog(/connect to cloud access successful/, { timeout: START_TIMEOUT });
  }
}

function configOf({ node, cloudAddress, requireAuthorization }: EdgecoreOptions): object {
  const off = { enable: false };
  const tls = {
    tlsCaFile: `${FOLDER}/ca/rootCA.crt`,
    tlsCertFile: `${FOLDER}/certs/server.crt`,
    tlsPrivateKeyFile: `${FOLDER}/certs/server.key`,
  };
  return {
    apiVersion: "edgecore.config.kubeedge.io/v1alpha2",
    kind: "EdgeCore",
    database: { dataSource: "/var/lib/kubeedge/edgecore.db" },
    featureGates: requireAuthorization === undefined ? {} : { requireAuthorization: true },
    modules: {
      deviceTwin: off,
      edgeStream: off,
      eventBus: off,
      serviceBus: off,
      taskManager: off,
      edged: { enable: false, hostnameOverride: node },
      edgeHub: {
        enable: true,
        heartbeat: HEARTBEAT_SECONDS,
        httpServer: `https://${cloudAddress}:10002`,
        rotateCertificates: false,
        websocket: {
          enable: true,
          server: `${cloudAddress}:10000`,
          handshakeTimeout: 30,
          readDeadline: 15,
          writeDeadline: 15,
        },
        ...tls,
      },
      metaManager: {
        enable: true,
        metaServer: {
          enable: true,
          server: "127.0.0.1:10550",
          ...tls,
          tlsCertFile: `${FOLDER}/certs/metaserver.crt`,
          tlsPrivateKeyFile: `${FOLDER}/certs/metaserver.key`,
          ...(requireAuthorization === undefined ? {} : { serviceAccountKeyFiles: [`${FOLDER}/certs/tokens.pub`] }),
        },
      },
    },
  };
}
