/**
 * A name server, and those who would like to be it: `lying-upstream.ts ADDRESS OTHER-ADDRESS` on port 53. What it does is
 * in a name's first label: `true-…` and whatever else is answered at once, `slow-…` after two and a half seconds,
 * `silent-…` never, and `forged-…` with lies first and the truth a little later. It prints each question with its id
 * and port. Its messages are put together by hand, by nobody's encoder.
 */
const [own = "", other = ""] = process.argv.slice(2);

const TRUTH = [198, 51, 100, 1];
const LIE = [203, 0, 113, 66];
const TTL_SECONDS = 1;
const SLOW_MS = 2500;
/** Lies have the field to themselves for so long. */
const LATER_MS = 300;
const HEADER_BYTES = 12;

function questionEnd(query: Uint8Array): number {
  let at = HEADER_BYTES;
  while ((query[at] ?? 0) > 0) at += 1 + (query[at] ?? 0);
  return at + 5;
}

function answer(query: Uint8Array, address: readonly number[]): Uint8Array {
  const question = query.subarray(HEADER_BYTES, questionEnd(query));
  const header = [query[0] ?? 0, query[1] ?? 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
  const record = [0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0, TTL_SECONDS, 0, 4, ...address];
  return Uint8Array.of(...header, ...question, ...record);
}

/** All that a forger may get wrong who sends from the right address and to the right port. */
function forgeries(query: Uint8Array): readonly Uint8Array[] {
  const change = (at: number, bits: number) => {
    const lie = answer(query, LIE);
    lie[at] = (lie[at] ?? 0) ^ bits;
    return lie;
  };
  const end = questionEnd(query);
  const ids = [0x01, 0x80].flatMap((bits) => [change(0, bits), change(1, bits)]);
  return [
    ...ids,
    change(2, 0x80), // not a response
    change(2, 0x28), // of another opcode
    change(5, 0x01), // without a question
    change(5, 0x03), // with two
    change(HEADER_BYTES + 1, 0x01), // of another name
    change(end - 3, 0x1d), // of another type
    change(end - 1, 0x02), // of another class
    answer(query, LIE).subarray(0, -1), // cut
    answer(query, LIE).subarray(0, HEADER_BYTES),
    Uint8Array.of(query[0] ?? 0, query[1] ?? 0),
    new Uint8Array(),
  ];
}

const elsewhere = await Bun.udpSocket({ hostname: other, port: 53, socket: { data: () => {}, error: () => {} } });
const anotherPort = await Bun.udpSocket({ hostname: own, port: 0, socket: { data: () => {}, error: () => {} } });
await Bun.udpSocket({
  hostname: own,
  port: 53,
  socket: {
    data: (socket, query, port, address) => {
      const name = query.subarray(HEADER_BYTES + 1, HEADER_BYTES + 1 + (query[HEADER_BYTES] ?? 0)).toString();
      const truth = answer(query, TRUTH);
      const send = () => void socket.send(truth, port, address);
      console.log(`asked ${name} ${((query[0] ?? 0) << 8) | (query[1] ?? 0)} ${port}`);
      switch (name.split("-")[0]) {
        case "silent":
          return;
        case "slow":
          setTimeout(send, SLOW_MS);
          return;
        case "forged":
          for (const lie of forgeries(query)) socket.send(lie, port, address);
          // All of it right, but for where it comes from.
          elsewhere.send(answer(query, LIE), port, address);
          anotherPort.send(answer(query, LIE), port, address);
          setTimeout(send, LATER_MS);
          return;
        default:
          send();
      }
    },
    error: () => {},
  },
});
console.log("ready");

export {};
