/**
 * Asks a name server for one name every few milliseconds, answered or not: `answer-times.ts SERVER NAME ADDRESS`. Prints a
 * line for each answer: its wall time in milliseconds, or "wrong".
 */
import { decodeMessage, encodeQuery } from "../../src/wire/dns-message.ts";
import { formatRecordData } from "../../src/wire/dns-record.ts";
import { dnsName } from "./network-objects.ts";

const ASK_EVERY_MS = 5;

const [server = "", name = "", address = ""] = process.argv.slice(2);
const question = { name: dnsName(name), type: 1, class: 1 };
const options = { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 };
// Not connected: while nobody listens, ICMP would end it.
const socket = await Bun.udpSocket({
  socket: {
    data: (_, packet) => {
      const message = decodeMessage(packet);
      const [record] = message.ok ? message.value.answers : [];
      console.log(record !== undefined && formatRecordData(record) === address ? Date.now() : "wrong");
    },
    error: () => {},
  },
});
let asked = 0;
setInterval(() => socket.send(encodeQuery(asked++ & 0xffff, question, options), 53, server), ASK_EVERY_MS);
console.log("asking");
