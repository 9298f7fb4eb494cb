import { describe, expect, test } from "bun:test";
import { WithheldSlices } from "../../../../edge/cache/withheld-slices.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";
import type { ListWatchEvent } from "../../../../src/kube/list-watch-event.ts";

type Happening = "trusted" | "local" | "unreachable" | "forbidden" | "cloud absent" | "connected" | "object";

const ERRORS = {
  unreachable: "KUBE_UNREACHABLE",
  forbidden: "KUBE_FORBIDDEN",
  "cloud absent": "KUBE_CLOUD_ABSENT",
} as const;

function eventOf(happening: Happening): ListWatchEvent<string> {
  switch (happening) {
    case "trusted":
    case "local":
      return {
        type: "list",
        authoritative: happening === "trusted",
        resourceVersion: "7",
        items: [],
        rejected: [],
      };
    case "connected":
      return { type: "state", connected: true, error: undefined };
    case "object":
      return { type: "upsert", origin: "live", object: { key: "d/a", uid: "u", resourceVersion: "8", value: "a" } };
    default: {
      const error = new SelvedgeError("Cannot", { code: ERRORS[happening], blame: "peer", retry: "later" });
      return { type: "state", connected: false, error };
    }
  }
}

/** Plays "slices local, endpoints trusted, …". @returns what it asks for after each, and whether slices are withheld */
function play(text: string): { readonly asked: string; readonly withheld: boolean } {
  const slices = new WithheldSlices(false);
  const asked = text.split(", ").map((step) => {
    const [who = "", ...what] = step.split(" ");
    const kind = who === "slices" ? "EndpointSlice" : "Endpoints";
    return slices.observe(kind, eventOf(what.join(" ") as Happening)) ?? "-";
  });
  return { asked: asked.join(" "), withheld: slices.withheld };
}

describe("slices are withheld", () => {
  test("when Endpoints are the cloud's and slices, asked for again, are still not", () => {
    expect(play("slices local, endpoints trusted, slices local")).toEqual({
      asked: "Endpoints EndpointSlice -",
      withheld: true,
    });
    expect(play("slices forbidden, endpoints trusted, slices forbidden").withheld).toBeTrue();
  });

  test("until they are given, whatever else happens", () => {
    const withheld = "slices local, endpoints trusted, slices local";
    expect(play(`${withheld}, endpoints unreachable, slices unreachable, slices local`).withheld).toBeTrue();
    expect(play(`${withheld}, slices trusted`).withheld).toBeFalse();
  });
});

describe("slices are not withheld", () => {
  test.each([
    ["when Endpoints are not given either: the cloud is away", "slices local, endpoints local, slices local"],
    ["when they are given at the second question", "slices local, endpoints trusted, slices trusted, slices local"],
    ["when nobody has asked for Endpoints since", "endpoints trusted, slices local, slices local"],
    ["when the source was gone in between", "slices local, endpoints trusted, slices unreachable, slices local"],
    ["when the source does not answer", "slices unreachable, endpoints trusted, slices unreachable"],
    ["by what is no answer", "slices local, endpoints connected, endpoints object, slices cloud absent, slices local"],
  ])("%s", (_why, story) => {
    expect(play(story).withheld).toBeFalse();
  });
});
