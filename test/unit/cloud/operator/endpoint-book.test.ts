import { describe, expect, test } from "bun:test";
import { EndpointBook } from "../../../../cloud/operator/endpoint-book.ts";
import { makeConnector } from "../../../support/operator-objects.ts";

const NAME = "a.b.c";

function endpoint(address: string) {
  return makeConnector("x", { name: NAME, publicAddresses: [address] });
}

function owner(book: EndpointBook): string | undefined {
  return /203\.0\.113\.\d/.exec(book.peerText(NAME) ?? "")?.[0];
}

describe("of a name that several claim", () => {
  test("this cluster's endpoint is meant, whatever others register", () => {
    const book = new EndpointBook();
    expect(book.setRemote("a", NAME, endpoint("203.0.113.1"))).toBe(true);
    expect(book.setLocal(NAME, endpoint("203.0.113.2"))).toBe(true);
    expect(book.setRemote("a", NAME, endpoint("203.0.113.3"))).toBe(false);
    expect(owner(book)).toBe("203.0.113.2");
    expect(book.setLocal(NAME, undefined)).toBe(true);
    expect(owner(book)).toBe("203.0.113.3");
  });

  test("the first cluster's is meant, whoever came first", () => {
    for (const order of [
      ["a", "a.b"],
      ["a.b", "a"],
    ]) {
      const book = new EndpointBook();
      for (const cluster of order)
        book.setRemote(cluster, NAME, endpoint(cluster === "a" ? "203.0.113.1" : "203.0.113.2"));
      expect(owner(book)).toBe("203.0.113.1");
    }
  });

  test("nobody's is meant once all have gone", () => {
    const book = new EndpointBook();
    book.setRemote("a", NAME, endpoint("203.0.113.1"));
    expect(book.setRemote("a", NAME, undefined)).toBe(true);
    expect(book.has(NAME)).toBe(false);
    expect(book.peerText(NAME)).toBeUndefined();
  });
});
