import { LATER } from "../../../edge/dns/query-handler.ts";
import { EDNS_UDP_BYTES, MAX_MESSAGE_BYTES } from "../../../src/wire/dns.ts";
import { decodeMessage } from "../../../src/wire/dns-message.ts";
import { QueryReader } from "../../../src/wire/dns-query.ts";
import { makeHandler } from "../../support/dns-handler.ts";
import { specificationServices } from "../../support/network-objects.ts";
import { hold } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const { handler } = makeHandler(specificationServices());
const out = new Uint8Array(MAX_MESSAGE_BYTES);
const reader = new QueryReader(7);
let count = 0;

/** The whole server without its sockets: every answer is well-formed, within its limit, and to a query. */
export const target: FuzzTarget = {
  mostBytes: 600,
  form: "big-endian",
  run: (input) => {
    const transport = count++ % 4 === 0 ? "tcp" : "udp";
    const end = handler.handle(input, out, 0, transport);
    const limit = transport === "tcp" ? MAX_MESSAGE_BYTES : EDNS_UDP_BYTES;
    if (end !== LATER) return end === 0 ? "dropped" : check(input, out.subarray(0, end), limit);
    let outcome = "not answered";
    return handler
      .finish(input, transport, (response) => {
        outcome = `later: ${check(input, response, limit)}`;
      })
      .then(() => outcome);
  },
};

function check(query: Uint8Array, response: Uint8Array, limit: number): string {
  reader.read(query);
  const most = limit === EDNS_UDP_BYTES ? Math.min(limit, reader.udpBytes) : limit;
  const message = decodeMessage(response);
  if (!message.ok) throw new Error(`the response is broken: ${message.error.why}: ${response.toHex()}`);
  hold(response.length <= most, `a response of ${response.length} bytes where ${most} are allowed`);
  hold(((query[2] ?? 0) & 0x80) === 0, "an answer to a response");
  hold(((response[2] ?? 0) & 0x80) !== 0, "a response without QR");
  hold(response[0] === query[0] && response[1] === query[1], "a response with another id");
  hold(message.value.edns === undefined || reader.hasEdns, "EDNS to a client without");
  return `rcode ${message.value.rcode}, ${Math.min(message.value.answers.length, 3)} answers`;
}
