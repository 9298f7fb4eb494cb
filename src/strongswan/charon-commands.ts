import { SelvedgeError } from "../base/errors.ts";
import type { NamedConnection, TunnelConnection } from "../network/tunnel-connection.ts";
import type { ViciFields, ViciSection } from "../wire/vici-message.ts";
import { decodeAssociations } from "./association-fields.ts";
import { type ConnectionForm, connectionFields } from "./connection-fields.ts";
import type { IkeAssociation } from "./security-association.ts";
import type { ViciSession } from "./vici-session.ts";

/** Parts of one answer: ten times as many SAs as the largest connector is made for. */
const PARTS_MAX = 100_000;

/** A connection that charon has, whoever loaded it. */
export interface LoadedConnection extends NamedConnection {
  readonly remoteId: string;
  readonly remoteAddresses: readonly string[];
}

export interface CharonStats {
  readonly threads: number;
  readonly idleThreads: number;
  readonly ikeSas: number;
  readonly halfOpenIkeSas: number;
}

/** Which SAs are ended: one IKE_SA with its children, or one child. */
export type Termination = { readonly ikeId: number } | { readonly childId: number };

/**
 * Charon's commands (libcharon/plugins/vici/README.md) as functions. Each throws what ViciSession.request does, and
 * CHARON_REFUSED with charon's own words.
 */
export class CharonCommands {
  readonly #session: ViciSession;

  constructor(session: ViciSession) {
    this.#session = session;
  }

  /** @returns "5.9.8" */
  async version(): Promise<string> {
    return (await this.#session.request("version")).text("version") ?? "";
  }

  async stats(): Promise<CharonStats> {
    const stats = await this.#session.request("stats");
    const [workers, sas] = [stats.section("workers"), stats.section("ikesas")];
    return {
      threads: workers?.number("total") ?? 0,
      idleThreads: workers?.number("idle") ?? 0,
      ikeSas: sas?.number("total") ?? 0,
      halfOpenIkeSas: sas?.number("half-open") ?? 0,
    };
  }

  /** Reads strongswan.conf again: retransmissions, logs; not the plugins, threads or ports. */
  async reloadSettings(): Promise<void> {
    await this.#do("reload its settings", "reload-settings");
  }

  /**
   * Adds it, or replaces one of the same name. SAs live on, with what was agreed for them.
   *
   * @param certificates one's own, PEM
   */
  async loadConnection(
    connection: TunnelConnection,
    certificates: readonly string[],
    form: ConnectionForm = "one",
  ): Promise<void> {
    const fields = connectionFields(connection, certificates, form);
    await this.#do(`load connection ${connection.name}`, "load-conn", fields);
  }

  /** Its SAs live on. */
  async unloadConnection(name: string): Promise<void> {
    await this.#do(`unload connection ${name}`, "unload-conn", { name });
  }

  async connectionNames(): Promise<readonly string[]> {
    return (await this.#session.request("get-conns")).list("conns");
  }

  async connections(): Promise<readonly LoadedConnection[]> {
    const connections: LoadedConnection[] = [];
    for (const part of await this.#parts("list-conns", "list-conn", {})) {
      for (const [name, connection] of part.sections()) connections.push(loadedConnection(name, connection));
    }
    return connections;
  }

  /** @param ike only of this connection */
  async associations(ike?: string): Promise<readonly IkeAssociation[]> {
    const parts = await this.#parts("list-sas", "list-sa", { ike });
    return parts.flatMap(decodeAssociations);
  }

  /** @param pem PKCS#8, SEC 1 or PKCS#1 @returns what unloadKey takes */
  async loadKey(pem: string): Promise<string> {
    return (await this.#do("load the private key", "load-key", { type: "any", data: pem })).text("id") ?? "";
  }

  async unloadKey(id: string): Promise<void> {
    await this.#do("unload a private key", "unload-key", { id });
  }

  /** One between ours and an authority. It stays until charon ends. @param pem one certificate */
  async loadIntermediate(pem: string): Promise<void> {
    await this.#do("load a certificate", "load-cert", { type: "X509", flag: "NONE", data: pem });
  }

  /** From now on its certificates are believed. @param pem one certificate */
  async loadAuthority(name: string, pem: string): Promise<void> {
    await this.#do(`load authority ${name}`, "load-authority", { [name]: { cacert: pem } });
  }

  async unloadAuthority(name: string): Promise<void> {
    await this.#do(`unload authority ${name}`, "unload-authority", { name });
  }

  async authorityNames(): Promise<readonly string[]> {
    return (await this.#session.request("get-authorities")).list("authorities");
  }

  /**
   * Begins, and does not wait: with a negative timeout charon sends its first packet, or queues the child behind what the
   * IKE_SA is doing, and answers (5.9.8: `initiate` of vici_control.c without callback runs initiate_execute at once). What
   * comes of it, events and list-sas tell. No worker thread is held meanwhile.
   */
  async initiate(connection: string, child: string): Promise<void> {
    await this.#do(`begin ${child}`, "initiate", { ike: connection, child, timeout: -1 });
  }

  /**
   * Tells the peer, and does not wait for its answer.
   *
   * @param force the IKE_SA is gone at once, also where the peer is
   * @returns false where there is none
   */
  async terminate(which: Termination, force = false): Promise<boolean> {
    const selector = "ikeId" in which ? { "ike-id": which.ikeId } : { "child-id": which.childId };
    const answer = await this.#session.request("terminate", { ...selector, force, timeout: -1 });
    return answer.flag("success");
  }

  /** @param what completes "Cannot …" */
  async #do(what: string, command: string, fields?: ViciFields): Promise<ViciSection> {
    const answer = await this.#session.request(command, fields);
    if (answer.flag("success")) return answer;
    throw new SelvedgeError(`Cannot ${what} as charon refuses it: ${answer.text("errmsg") ?? "it does not say why"}`, {
      code: "CHARON_REFUSED",
      blame: "user",
      retry: "later",
      hint: "Charon's words tell what it does not like; `journalctl -u selvedge-charon` has more of them.",
    });
  }

  async #parts(command: string, part: string, fields: ViciFields): Promise<readonly ViciSection[]> {
    const parts: ViciSection[] = [];
    await this.#session.stream(command, part, fields, (section) => {
      if (parts.length < PARTS_MAX) parts.push(section);
    });
    return parts;
  }
}

/** Events that carry the parts of answers: a session subscribes to them before it asks. */
export const ANSWER_PARTS = ["list-sa", "list-conn"] as const;

function loadedConnection(name: string, connection: ViciSection): LoadedConnection {
  // The rounds of authentication are "local-1", "remote-1" and so on.
  const identity = (side: string) =>
    connection
      .sections()
      .find(([title]) => title.startsWith(side))?.[1]
      .text("id") ?? "";
  return {
    name,
    localId: identity("local"),
    remoteId: identity("remote"),
    remoteAddresses: connection.list("remote_addrs"),
    childNames: (connection.section("children")?.sections() ?? []).map(([child]) => child),
  };
}
