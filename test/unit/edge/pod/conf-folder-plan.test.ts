import { describe, expect, test } from "bun:test";
import { conflistName, findShadow, isNetworkConfiguration } from "../../../../edge/pod/conf-folder-plan.ts";

describe("the file that wins over ours", () => {
  const own = conflistName("fabedge");
  const shadow = (...names: string[]) => findShadow(names, own, (name) => !name.startsWith("bad"));

  test("is the first of those before it", () => {
    expect(shadow(own, "20-b.conf", "10-a.conflist", "zz.conf")).toBe("10-a.conflist");
    expect(shadow("aa.json", own)).toBe("aa.json");
  });

  test("is none behind it, of another ending, or without a network", () => {
    expect(shadow(own, "g.conflist", "zz.conf", "10-a.conflist.bak", ".10-a.conflist.swp", "bad.conf")).toBeUndefined();
    // As containerd orders them: by bytes.
    expect(shadow("Z.conf", own)).toBe("Z.conf");
  });
});

describe("a network configuration", () => {
  test.each(['{"type":"bridge"}', '{"plugins":[{"type":"bridge"}]}'])("%s is one", (text) => {
    expect(isNetworkConfiguration(text)).toBe(true);
  });

  test.each(["", "{", "null", "[]", "{}", '{"plugins":[]}', '{"type":7}', undefined])("%p is none", (text) => {
    expect(isNetworkConfiguration(text)).toBe(false);
  });
});
