import { describe, expect, test } from "bun:test";
import { planSchemaGaps } from "../../../../cloud/cli/schema-gaps-plan.ts";
import communities from "../../../../cloud/crds/communities.yaml";

const OURS = communities.spec.versions[0].schema.openAPIV3Schema;

/** A copy in which something is another. */
function changed(change: (copy: typeof OURS) => void): typeof OURS {
  const copy = structuredClone(OURS);
  change(copy);
  return copy;
}

describe("a served definition", () => {
  test("that has all of ours, and more, has no gaps", () => {
    const served = changed((copy) => {
      copy.properties.metadata = { $ref: "#/components/schemas/ObjectMeta" };
      copy.properties.spec.properties.more = { type: "string" };
      copy.properties.spec.description = "in other words";
    });
    expect(planSchemaGaps(OURS, served)).toEqual([]);
  });

  test.each([
    ["spec.members", "a bound", (copy: typeof OURS) => (copy.properties.spec.properties.members.maxItems = 10)],
    [
      "spec.members",
      "no rule",
      (copy: typeof OURS) => delete copy.properties.spec.properties.members["x-kubernetes-validations"],
    ],
    [
      "spec.members[]",
      "another type",
      (copy: typeof OURS) => (copy.properties.spec.properties.members.items.type = "integer"),
    ],
    ["status.readyCount", "no such field", (copy: typeof OURS) => delete copy.properties.status.properties.readyCount],
    [
      "status.members[].state",
      "other words",
      (copy: typeof OURS) => copy.properties.status.properties.members.items.properties.state.enum.pop(),
    ],
    ["spec", "nothing", (copy: typeof OURS) => delete copy.properties.spec],
  ])("differs in %s where it has %s", (path, _, change) => {
    expect(planSchemaGaps(OURS, changed(change))).toEqual([path]);
  });
});
