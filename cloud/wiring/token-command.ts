import { SelvedgeError } from "../../src/base/errors.ts";
import { parseBundle } from "../../src/certificate/certificate.ts";
import { formatToken, SECRET_BYTES, type TokenRecord } from "../join/join-token.ts";
import { ClusterTokens } from "./cluster-tokens.ts";
import { FolderTokens } from "./folder-tokens.ts";
import type { System } from "./system.ts";
import type { TokenOffice } from "./token-office.ts";
import type { TokenCommand } from "./token-options.ts";

/** `selvedge-cloud token`. @throws SelvedgeError */
export async function runToken(command: TokenCommand, system: System): Promise<void> {
  const office =
    command.stateDir === "" ? await ClusterTokens.open(command, system) : new FolderTokens(command.stateDir);
  switch (command.verb) {
    case "create":
      return await create(command, office, system);
    case "list":
      return list(await office.list(), command.json, system);
    case "delete":
      if (await office.delete(command.node)) return system.out(`Token of node ${command.node} deleted.\n`);
      throw new SelvedgeError(`Cannot delete the token of node "${command.node}" as there is none`, {
        code: "TOKEN_UNKNOWN",
        blame: "user",
        retry: "never",
        hint: "selvedge-cloud token list shows those that are there; those that have ended go when the next one is made.",
      });
  }
}

async function create({ node, life, server, json }: TokenCommand, office: TokenOffice, system: System): Promise<void> {
  const hash = await authorityHash(office);
  const url = server === "" ? await office.server() : server;
  if (url === undefined) {
    throw new SelvedgeError("Cannot tell where nodes join as there is no Service with a node port named join", {
      code: "TOKEN_SERVER",
      blame: "user",
      retry: "never",
      hint: "Give the address under which nodes reach the operator: --server https://HOST:PORT.",
    });
  }
  const secret = system.randomHex(SECRET_BYTES);
  const record = { node, hash: system.hash(secret), expires: system.clock.wall() + life, key: undefined };
  for (const each of await office.list()) if (each.expires <= system.clock.wall()) await office.delete(each.node);
  await office.keep(record);
  const token = formatToken({ node, secret });
  const line = `selvedge join ${url} --token ${token} --ca-cert-hash sha256:${hash}`;
  const expires = new Date(record.expires).toISOString();
  const answer = { node, token, server: url, caCertHash: `sha256:${hash}`, expires, command: line };
  system.out(json ? `${JSON.stringify(answer, null, 2)}\n` : `${line}\n`);
  // It may well be made before its node is registered.
  if (!(await office.expects(node))) {
    system.err(`Node ${node} is no edge node yet: until it is one, it is not let in, and the token stays good.\n`);
  }
  if (!json) system.err(`For node ${node}, for one use, until ${expires}. Run the line on the node, as root.\n`);
}

async function authorityHash(office: TokenOffice): Promise<string> {
  const bundle = parseBundle((await office.authority()) ?? "");
  const [signer] = bundle.ok ? bundle.value : [];
  if (signer !== undefined) return signer.fingerprint;
  throw new SelvedgeError("Cannot make a token as there is no authority for nodes to believe", {
    code: "TOKEN_AUTHORITY",
    blame: "user",
    retry: "later",
    hint: "Start the operator first: it makes the authority.",
  });
}

function list(records: readonly TokenRecord[], json: boolean, system: System): void {
  const state = ({ expires, key }: TokenRecord) =>
    system.clock.wall() >= expires ? "ended" : key === undefined ? "good" : "used";
  const rows = records.map((record) => ({
    node: record.node,
    expires: new Date(record.expires).toISOString(),
    state: state(record),
  }));
  system.out(json ? `${JSON.stringify(rows, null, 2)}\n` : formatTable(rows));
}

function formatTable(rows: readonly { readonly node: string; readonly expires: string; readonly state: string }[]) {
  const width = Math.max(4, ...rows.map(({ node }) => node.length));
  const line = (node: string, expires: string, text: string) =>
    `${node.padEnd(width)}  ${expires.padEnd(24)}  ${text}\n`;
  return [line("NODE", "EXPIRES", "STATE"), ...rows.map((row) => line(row.node, row.expires, row.state))].join("");
}
