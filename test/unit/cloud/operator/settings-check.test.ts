import { describe, expect, test } from "bun:test";
import type { OperatorSettings } from "../../../../cloud/operator/settings.ts";
import { checkSettings } from "../../../../cloud/operator/settings-check.ts";
import { prefix } from "../../../support/network-objects.ts";
import { makeCalicoSettings, makeOperatorSettings } from "../../../support/operator-objects.ts";

const { connector, agent } = makeOperatorSettings();

describe("settings", () => {
  test("of the samples are fine", () => {
    expect(checkSettings(makeOperatorSettings())).toEqual([]);
    expect(checkSettings(makeCalicoSettings())).toEqual([]);
  });

  test.each<[string, OperatorSettings]>([
    ["IPv4", makeCalicoSettings({ edgePools: [{ cidr: prefix("fd00::/64"), blockLength: 120 }] })],
    ["/16", makeCalicoSettings({ edgePools: [{ cidr: prefix("10.1.0.0/16"), blockLength: 16 }] })],
    ["/33", makeCalicoSettings({ edgePools: [{ cidr: prefix("10.1.0.0/16"), blockLength: 33 }] })],
    ["service network", makeCalicoSettings({ edgePools: [{ cidr: prefix("10.96.8.0/21"), blockLength: 24 }] })],
    ["every node would be one", makeOperatorSettings({ edgeLabels: {} })],
    [
      "two networks of one family",
      makeCalicoSettings({
        edgePools: ["10.1.0.0/16", "10.2.0.0/16"].map((cidr) => ({ cidr: prefix(cidr), blockLength: 24 })),
      }),
    ],
    ["public address", makeOperatorSettings({ connector: { ...connector, publicAddresses: [] } })],
    ["cluster CIDR", makeOperatorSettings({ clusterCidrs: [] })],
    ["{node}", makeOperatorSettings({ endpointIdFormat: "C=CN, O=fabedge.io, CN=paris" })],
    ["organization", makeOperatorSettings({ certificateOrganization: "example.org" })],
    ["--sync-period", makeOperatorSettings({ agent: { ...agent, arguments: { "sync-period": "often" } } })],
  ])("that contradict themselves are named: %s", (named, settings) => {
    const [problem, ...others] = checkSettings(settings);
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ code: "OPERATOR_SETTINGS", severity: "failed" });
    expect(problem?.message).toContain(named);
  });
});
