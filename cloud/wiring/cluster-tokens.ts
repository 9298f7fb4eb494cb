import { ok } from "../../src/base/result.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { getObject } from "../../src/kube/get.ts";
import { parseJson } from "../../src/kube/json-view.ts";
import { listObjects } from "../../src/kube/list.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { parseConfigMap } from "../../src/kube/objects/config-map.ts";
import { CONNECTOR_CONFIG } from "../../src/kube/objects/connector-documents.ts";
import { NAME_LENGTH_MAX } from "../../src/kube/objects/metadata.ts";
import { parseNodeConfig } from "../../src/kube/objects/node-config.ts";
import { CONFIG_MAPS, SERVICES } from "../../src/kube/resource.ts";
import { KubeWriter } from "../../src/kube/writer.ts";
import { TokenSecrets } from "../join/token-secrets.ts";
import { agentTlsName, TUNNELS_FILE } from "../operator/object-names.ts";
import { LEAF_TEXTS_DECODER, SECRET_DECODER } from "../operator/observed-documents.ts";
import { findKubeconfig, openCluster } from "./cluster-access.ts";
import type { System } from "./system.ts";
import type { TokenOffice } from "./token-office.ts";
import type { TokenCommand } from "./token-options.ts";

/** Whoever makes tokens is a person; the operator's own name is for what the operator writes. */
const FIELD_MANAGER = "selvedge-cloud";
/** Of the chart's Service. */
const JOIN_PORT = "join";
/** Ports of a Service, as many as anybody has there. */
const PORTS_MAX = 64;

/** The node port at which a Service leads to where nodes join; undefined: another Service. */
const JOIN_SERVICE_DECODER: ObjectDecoder<number> = {
  resource: SERVICES,
  decode: (json) =>
    parseJson(json, (object) =>
      object
        .field("spec")
        .field("ports")
        .array(PORTS_MAX)
        .filter((port) => port.field("name").optionalString(NAME_LENGTH_MAX) === JOIN_PORT)
        .map((port) => port.field("nodePort").optionalInteger(1, 65_535))
        .find((port) => port !== undefined),
    ),
};

const PUBLIC_ADDRESSES_DECODER: ObjectDecoder<readonly string[]> = {
  resource: CONFIG_MAPS,
  decode: (json) => {
    const map = parseConfigMap(json);
    if (!map.ok) return map;
    const config = parseNodeConfig(map.value.data.get(TUNNELS_FILE) ?? "");
    return config.ok ? ok(config.value.endpoint.publicAddresses) : config;
  },
};

/** Tokens of a cluster, as a person with its kubeconfig has them. */
export class ClusterTokens implements TokenOffice {
  readonly #client: KubeClient;
  readonly #tokens: TokenSecrets;
  readonly #command: TokenCommand;
  readonly #system: System;
  readonly #signal = new AbortController().signal;

  static async open(command: TokenCommand, system: System): Promise<ClusterTokens> {
    return new ClusterTokens(await openCluster(findKubeconfig(command.kubeconfig, system), system), command, system);
  }

  private constructor(client: KubeClient, command: TokenCommand, system: System) {
    const writer = new KubeWriter(client, FIELD_MANAGER);
    this.#client = client;
    this.#command = command;
    this.#system = system;
    this.#tokens = new TokenSecrets(client, writer, command.namespace, system.clock, this.#signal);
  }

  keep(...args: Parameters<TokenSecrets["keep"]>) {
    return this.#tokens.keep(...args);
  }

  list() {
    return this.#tokens.list();
  }

  delete(node: string) {
    return this.#tokens.delete(node);
  }

  async authority(): Promise<string | undefined> {
    const { namespace, authoritySecret: name } = this.#command;
    return (await getObject(this.#client, SECRET_DECODER, { namespace, name }, this.#signal))?.value["ca.crt"];
  }

  async server(): Promise<string | undefined> {
    const { namespace } = this.#command;
    const query = { client: this.#client, source: "api-server", namespace, clock: this.#system.clock } as const;
    const services = await listObjects({ ...query, decoder: JOIN_SERVICE_DECODER }, this.#signal);
    const port = services.items.find(({ value }) => value !== undefined)?.value;
    const name = { namespace, name: CONNECTOR_CONFIG };
    const found = await getObject(this.#client, PUBLIC_ADDRESSES_DECODER, name, this.#signal);
    const [address] = found?.value ?? [];
    if (port === undefined || address === undefined) return undefined;
    return `https://${address.includes(":") ? `[${address}]` : address}:${port}`;
  }

  async expects(node: string): Promise<boolean> {
    const name = { namespace: this.#command.namespace, name: agentTlsName(node) };
    return (await getObject(this.#client, LEAF_TEXTS_DECODER, name, this.#signal)) !== undefined;
  }
}
