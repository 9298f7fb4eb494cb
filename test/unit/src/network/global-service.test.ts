import { expect, test } from "bun:test";
import { clusterOfEndpoint } from "../../../../src/network/global-service.ts";

test.each([
  ["paris.e1", "e1", "paris"],
  ["paris.e1.example.com", "e1.example.com", "paris"],
  ["Paris.E1", "e1", "paris"],
  ["left.bank.e1", "e1", "left.bank"],
  ["paris.e2", "e1", undefined],
  ["paris.e1", "1", undefined],
  [".e1", "e1", undefined],
  ["e1", "e1", undefined],
])("%s on the node %s is of the cluster %s", (endpoint, node, cluster) => {
  expect(clusterOfEndpoint(endpoint, node)).toBe(cluster);
});
