import { describe, expect, test } from "bun:test";
import { judgeTunnelHost, praiseTunnels, type TunnelHost } from "../../../../edge/cli/tunnel-check.ts";
import { statusReport } from "../../../support/agent-handlers.ts";
import { GOOD_HOST } from "../../../support/cli-world.ts";

const judge = (over: Partial<TunnelHost>) =>
  judgeTunnelHost({ ...GOOD_HOST.tunnels, ...over }).map((result) =>
    result.ok ? result.message : `${result.severity} ${result.code}: ${result.message}`,
  );
const SILENT = { version: undefined, refusal: "Cannot speak with charon on /run/x: ENOENT" };

describe("what tunnels need of a host", () => {
  test("is charon, and ESP in the kernel", () => {
    expect(judge({})).toEqual(["charon 5.9.8 answers", "the kernel does ESP"]);
    expect(judge({ charon: { version: undefined, refusal: undefined } })[0]).toBe("charon answers");
  });

  test("is nothing where nobody asks for tunnels", () => {
    expect(judge({ wanted: false, installed: false, charon: SILENT, kernelEsp: false })).toEqual([]);
  });

  test("is missed when charon is not installed, or does not answer", () => {
    expect(judge({ installed: false, charon: SILENT })[0]).toBe(
      "degraded CHARON_MISSING: Cannot make tunnels as charon is not installed",
    );
    expect(judge({ charon: SILENT })[0]).toBe("degraded CHARON_ABSENT: Cannot speak with charon on /run/x: ENOENT");
    // FabEdge's pods have it in another container.
    expect(judge({ installed: false })[0]).toBe("charon 5.9.8 answers");
  });

  test("is not to be started where another program has its ports, and that is said first", () => {
    const portTaken = { message: "Cannot start our own charon as UDP port 500 is taken", hint: "Stop it." };
    expect(judge({ charon: SILENT, portTaken })[0]).toBe(`degraded IKE_PORT_TAKEN: ${portTaken.message}`);
    expect(judge({ portTaken })[0]).toBe("charon 5.9.8 answers");
  });

  test("may be ESP of charon's own, which is slower", () => {
    expect(judge({ kernelEsp: false, userspaceEsp: true })[1]).toStartWith("info ESP_MISSING");
    expect(judge({ kernelEsp: false })[1]).toStartWith("degraded ESP_MISSING");
    expect(judge({ kernelEsp: undefined })).toHaveLength(1);
  });
});

test("an agent in a fabric has good news when all is up, and a certificate's end to tell", () => {
  const report = statusReport();
  const praise = (over: Partial<typeof report.fabric>) =>
    praiseTunnels({ ...report, fabric: { ...report.fabric, ...over } }).map((result) => result.ok && result.message);
  const certificate = "this is paris.edge-1, certificate until 2027-02-19T05:00:00.000Z";
  expect(praise({})).toEqual([certificate]);
  expect(praise({ tunnelsUp: 3 })).toEqual([certificate, "all 3 tunnels are up"]);
  expect(praise({ certificateEnds: null, peers: 0, tunnelsUp: 0 })).toEqual([]);
  expect(praise({ name: null })).toEqual([]);
});
