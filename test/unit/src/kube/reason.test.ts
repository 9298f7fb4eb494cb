import { expect, test } from "bun:test";
import { reasonOf } from "../../../../src/kube/reason.ts";

test("codes become reasons as Kubernetes writes them", () => {
  expect(reasonOf("SUBNET_CONFLICT")).toBe("SubnetConflict");
  expect(reasonOf("CIDR_TOO_WIDE")).toBe("CidrTooWide");
});
