import { describe, expect, test } from "bun:test";
import { type ConnectorView, judgeConnector } from "../../../../cloud/connector/conditions.ts";
import { NO_FACTS } from "../../../../cloud/connector/facts.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";
import { SecretText } from "../../../../src/base/secret-text.ts";
import { makeConnector } from "../../../support/operator-objects.ts";

const CONFIG = { endpoint: makeConnector("paris"), peers: [], mediator: undefined, peerShards: 0 };
const CREDENTIALS = { certificates: ["c"], key: new SecretText("k"), authorities: ["a"] };
const WELL: ConnectorView = {
  isStarting: false,
  facts: { ...NO_FACTS, config: CONFIG, credentials: CREDENTIALS },
  credentialTrouble: undefined,
  charon: { phase: "connected", version: "5.9.8", failure: undefined },
  fabric: { blocked: [], failures: [], dropping: [] },
  hasEsp: true,
  notForwarded: [],
  publishing: { failure: undefined, isWhole: true },
};

function codes(over: Partial<ConnectorView>): readonly string[] {
  return judgeConnector({ ...WELL, ...over }).map(({ code, severity }) => `${severity} ${code}`);
}

describe("what is wrong with a connector", () => {
  test("is nothing while it does its job", () => {
    expect(judgeConnector(WELL)).toEqual([]);
  });

  test("is not said while it starts: what was not heard yet may come", () => {
    const charon = { phase: "absent", version: undefined, failure: undefined } as const;
    expect(codes({ isStarting: true, facts: NO_FACTS, charon, hasEsp: false })).toEqual([]);
  });

  test("is all that it never had, and its charon's silence", () => {
    expect(codes({ facts: NO_FACTS })).toEqual(["failed CONNECTOR_UNCONFIGURED"]);
    expect(codes({ facts: { ...NO_FACTS, config: CONFIG } })).toEqual(["failed CONNECTOR_UNCERTIFIED"]);
    expect(codes({ charon: { phase: "silent", version: "5.9.8", failure: "it hangs" } })).toEqual([
      "failed CONNECTOR_WITHOUT_CHARON",
    ]);
    expect(codes({ hasEsp: false })).toEqual(["failed CONNECTOR_WITHOUT_ESP"]);
  });

  test("is less bad where what it had before goes on", () => {
    const credentialTrouble = { at: "tls.key", why: "not the key of the certificate" };
    expect(codes({ credentialTrouble })).toEqual(["degraded CONNECTOR_UNCERTIFIED"]);
    expect(codes({ publishing: { failure: new Error("no route to host"), isWhole: true } })).toEqual([
      "degraded CONNECTOR_UNHEARD",
    ]);
    expect(codes({ publishing: { failure: undefined, isWhole: false } })).toEqual(["degraded CONNECTOR_OVERFULL"]);
    expect(codes({ notForwarded: ["net/ipv4/ip_forward"] })).toEqual(["degraded CONNECTOR_NOT_FORWARDING"]);
  });

  test("is told with names, but not with all of them", () => {
    const blocked = Array.from({ length: 9 }, (_, i) => `10.1.${i}.0/24`);
    const [finding] = judgeConnector({ ...WELL, fabric: { blocked, failures: [], dropping: [] } });
    expect(finding?.message).toEndWith("10.1.0.0/24, 10.1.1.0/24, 10.1.2.0/24, 10.1.3.0/24, 10.1.4.0/24 and 4 more");
    const error = new SelvedgeError("Cannot add it", { code: "EINVAL", blame: "host", retry: "later" });
    expect(codes({ fabric: { blocked: [], failures: [error], dropping: ["ip filter FORWARD"] } })).toEqual([
      "degraded CONNECTOR_ROUTES",
      "degraded FORWARD_DROPPED",
    ]);
  });
});
