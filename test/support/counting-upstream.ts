/**
 * A name server that knows one address for every name, for an hour, and says "asked" for each question:
 * `counting-upstream.ts LISTEN ADDRESS`.
 */
import { skipName } from "../../src/wire/dns-query.ts";

const HEADER_BYTES = 12;
const TYPE_AND_CLASS_BYTES = 4;

const [listen = "", address = ""] = process.argv.slice(2);
/** RFC 1035 section 4.1.3: the name as a pointer to the question's, A, IN, 3600 s, four bytes. */
const RECORD = [0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, ...address.split(".").map(Number)];

await Bun.udpSocket({
  hostname: listen,
  port: 53,
  socket: {
    data: (socket, query, port, client) => {
      console.log("asked");
      const end = skipName(query, HEADER_BYTES) + TYPE_AND_CLASS_BYTES;
      const response = Uint8Array.from([...query.subarray(0, end), ...RECORD]);
      const view = new DataView(response.buffer);
      // A recursive answer to one question, with one record and nothing else.
      view.setUint16(2, 0x8180);
      view.setUint16(6, 1);
      view.setUint32(8, 0);
      socket.send(response, port, client);
    },
  },
});
console.log("ready");
