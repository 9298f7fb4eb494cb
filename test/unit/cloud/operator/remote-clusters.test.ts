import { describe, expect, test } from "bun:test";
import type { OperatorChange } from "../../../../cloud/operator/change.ts";
import { RemoteClusters } from "../../../../cloud/operator/remote-clusters.ts";
import { formatPrefix } from "../../../../src/base/ip.ts";
import type { Cluster } from "../../../../src/network/cluster.ts";
import { prefix } from "../../../support/network-objects.ts";
import { makeConnector, makeOperatorSettings, remoteCluster } from "../../../support/operator-objects.ts";

function clustersOf(...changes: readonly OperatorChange[]): RemoteClusters {
  const clusters = new RemoteClusters(makeOperatorSettings());
  for (const { key, value } of changes) clusters.set(key, value as Cluster);
  clusters.settle();
  return clusters;
}

function seen(clusters: RemoteClusters, name: string) {
  const cluster = clusters.get(name);
  return {
    endpoints: cluster?.endpoints.map((e) => `${e.name} ${e.subnets.map(formatPrefix).join(" ")}`),
    cidrs: cluster?.cidrs.map(formatPrefix),
    codes: cluster?.problems.map((problem) => problem.code),
  };
}

describe("another cluster", () => {
  test("has its endpoints and its networks", () => {
    expect(seen(clustersOf(remoteCluster("lyon")), "lyon")).toEqual({
      endpoints: ["lyon.connector 10.97.0.0/16 10.2.0.0/24"],
      cidrs: ["10.2.0.0/16", "10.97.0.0/16"],
      codes: [],
    });
  });

  test("that is this one says nothing", () => {
    expect(clustersOf(remoteCluster("paris")).get("paris")).toBeUndefined();
  });

  test("that claims a network of ours is reached in its other networks", () => {
    const endpoints = [makeConnector("lyon", { subnets: [prefix("10.96.1.0/24"), prefix("10.2.0.0/24")] })];
    const clusters = clustersOf(
      remoteCluster("lyon", { endpoints, cidrs: [prefix("10.2.0.0/16"), prefix("10.96.1.0/24")] }),
    );
    expect(seen(clusters, "lyon")).toEqual({
      endpoints: ["lyon.connector 10.2.0.0/24"],
      cidrs: ["10.2.0.0/16"],
      codes: ["CIDR_OVERLAP"],
    });
  });

  test("that claims what is behind one of our nodes loses that, and has it when the node has gone", () => {
    const clusters = clustersOf(remoteCluster("lyon"));
    clusters.setOwn("paris.e1", [prefix("10.2.0.0/25")]);
    expect([...clusters.settle().keys()]).toEqual(["lyon"]);
    expect(seen(clusters, "lyon").endpoints).toEqual(["lyon.connector 10.97.0.0/16"]);
    clusters.setOwn("paris.e1", []);
    clusters.settle();
    expect(seen(clusters, "lyon").codes).toEqual([]);
  });

  test("that is younger loses what both claim", () => {
    const clusters = clustersOf(remoteCluster("alpha", { created: "2026-03-01T00:00:00Z" }), remoteCluster("lyon"));
    expect(seen(clusters, "lyon").codes).toEqual([]);
    expect(new Set(seen(clusters, "alpha").codes)).toEqual(new Set(["CIDR_OVERLAP", "ENDPOINT_UNUSABLE"]));
  });

  test("cannot take everybody's traffic with a network that is wider than any cluster's", () => {
    const endpoints = [makeConnector("lyon", { subnets: [prefix("0.0.0.0/1"), prefix("10.2.0.0/24")] })];
    const clusters = clustersOf(remoteCluster("lyon", { endpoints, cidrs: [prefix("::/0")] }));
    expect(seen(clusters, "lyon")).toEqual({
      endpoints: ["lyon.connector 10.2.0.0/24"],
      cidrs: [],
      codes: ["CIDR_TOO_WIDE"],
    });
  });

  test("cannot speak for a third one, nor twice for one endpoint, nor for one without addresses", () => {
    const endpoints = [
      makeConnector("lyon"),
      makeConnector("lyon"),
      makeConnector("nice"),
      makeConnector("lyon2", { name: "lyon2.connector" }),
      makeConnector("lyon", { name: "lyon.other", publicAddresses: [] }),
    ];
    const clusters = clustersOf(remoteCluster("lyon", { endpoints }));
    expect(seen(clusters, "lyon").endpoints).toEqual(["lyon.connector 10.97.0.0/16 10.2.0.0/24"]);
    expect(seen(clusters, "lyon").codes).toEqual(Array(4).fill("ENDPOINT_UNUSABLE"));
  });
});
