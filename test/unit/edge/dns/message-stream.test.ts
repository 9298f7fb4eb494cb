import { describe, expect, test } from "bun:test";
import { MessageStream } from "../../../../edge/dns/message-stream.ts";

const bytes = (...values: readonly number[]) => Uint8Array.from(values);

function collect(mostBytes: number) {
  const messages: number[][] = [];
  const stream = new MessageStream(mostBytes);
  return { messages, push: (chunk: Uint8Array) => stream.push(chunk, (message) => messages.push([...message]) > 0) };
}

describe("a stream of messages", () => {
  test("gives each message once it is whole, however it is cut", () => {
    const whole = bytes(0, 2, 7, 8, 0, 1, 9);
    for (let cut = 0; cut <= whole.length; cut++) {
      const { messages, push } = collect(16);
      expect(push(whole.subarray(0, cut)) && push(whole.subarray(cut))).toBeTrue();
      expect(messages).toEqual([[7, 8], [9]]);
    }
  });

  test("gives an empty message", () => {
    const { messages, push } = collect(16);
    expect(push(bytes(0, 0, 0, 1, 5))).toBeTrue();
    expect(messages).toEqual([[], [5]]);
  });

  test("takes a message as long as it may be, and tells of a longer one before its bytes come", () => {
    const { messages, push } = collect(3);
    expect(push(bytes(0, 3, 1, 2, 3))).toBeTrue();
    expect(push(bytes(0, 4))).toBeFalse();
    expect(messages).toEqual([[1, 2, 3]]);
  });

  test("stops when whoever takes the messages says so", () => {
    const taken: number[] = [];
    const take = (message: Uint8Array) => taken.push(message[0] ?? -1) < 2;
    expect(new MessageStream(8).push(bytes(0, 1, 1, 0, 1, 2, 0, 1, 3), take)).toBeTrue();
    expect(taken).toEqual([1, 2]);
  });
});
