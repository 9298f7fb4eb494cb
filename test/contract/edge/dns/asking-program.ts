import { decodeMessage, encodeQuery } from "../../../../src/wire/dns-message.ts";
import { formatRecordData } from "../../../../src/wire/dns-record.ts";
import { benchAddress, benchName } from "../../../bench/dns-services.ts";
import { dnsName } from "../../../support/network-objects.ts";

/**
 * Asks the name server on a port of 127.0.0.1 for all names in turn, each answer being followed by the next question, and
 * prints how many answers were right.
 *
 * asking-program.ts PORT SERVICES QUESTIONS FORWARDED-NAME FORWARDED-ADDRESS
 */
/** Fits any receive buffer: nothing may be lost. */
const OUTSTANDING = 64;
const ONE_FORWARDED_OF = 30;

const [port = "", services = "", questions = "", forwardedName = "", forwardedAddress = ""] = process.argv.slice(2);
let asked = 0;
let answered = 0;
let right = 0;

function nameOf(id: number): string {
  return id % ONE_FORWARDED_OF === 0 ? forwardedName : benchName(id % Number(services));
}

function addressOf(id: number): string {
  return id % ONE_FORWARDED_OF === 0 ? forwardedAddress : benchAddress(id % Number(services));
}

const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.1", port: Number(port) },
  socket: {
    data: (_, data) => {
      const message = decodeMessage(data);
      const [record] = message.ok ? message.value.answers : [];
      if (message.ok && record !== undefined && formatRecordData(record) === addressOf(message.value.id)) right += 1;
      answered += 1;
      if (asked < Number(questions)) ask();
      else if (answered === asked) end();
    },
  },
});

function ask(): void {
  const question = { name: dnsName(nameOf(asked)), type: 1, class: 1 };
  socket.send(encodeQuery(asked, question, { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 }));
  asked += 1;
}

function end(): void {
  console.log(right);
  socket.close();
}

for (let i = 0; i < OUTSTANDING; i++) ask();
