import { describe, expect, test } from "bun:test";
import { parseManifestFile } from "../../../../cloud/hub/manifests.ts";

const WEB = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: 10.0.0.1}\n";

function refusal(text: string) {
  const result = parseManifestFile(text);
  return result.ok ? undefined : `${result.error.line}: ${result.error.reason}`;
}

describe("a manifest file", () => {
  test("gives its objects, in the default namespace unless it is said", () => {
    const result = parseManifestFile(`${WEB}---\n${WEB.replace("{name: web}", "{name: web, namespace: shop}")}`);
    expect(result.ok && result.value.manifests.map((m) => [m.id, m.line])).toEqual([
      ["/services default/web", 1],
      ["/services shop/web", 6],
    ]);
    expect(result.ok && result.value.manifests[0]?.object["metadata"]).toEqual({ name: "web", namespace: "default" });
  });

  test("gives the items of a List", () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- ${WEB.trimEnd().replaceAll("\n", "\n  ")}\n`;
    const result = parseManifestFile(list);
    expect(result.ok && result.value.manifests.map((m) => m.key)).toEqual(["default/web"]);
  });

  test("a cluster-scoped object has no namespace, whatever is written", () => {
    const result = parseManifestFile("apiVersion: v1\nkind: Node\nmetadata: {name: n, namespace: x}\n");
    expect(result.ok && result.value.manifests.map((m) => [m.key, m.object["metadata"]])).toEqual([
      ["n", { name: "n" }],
    ]);
  });

  test("passes over what the hub does not serve, and says so", () => {
    const result = parseManifestFile(`${WEB}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n`);
    expect(result.ok && [result.value.manifests.length, result.value.passedOver]).toEqual([1, ["apps/v1 Deployment"]]);
  });

  test("a ConfigMap is checked only where it is a node's", () => {
    const configMap = (data: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: ${data}\n`;
    expect(parseManifestFile(configMap('{"app.conf": ""}')).ok).toBeTrue();
    expect(parseManifestFile(configMap("null")).ok).toBeTrue();
    expect(parseManifestFile(configMap('{"tunnels.yaml": "name: ["}')).ok).toBeFalse();
  });

  test("a service without an address is refused with what to write", () => {
    const text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
    expect(refusal(`${WEB}---\n${text}`)).toBe(
      "6: Service default/web: spec.clusterIP: missing: a folder has nobody who gives out addresses, so write one, such as 10.96.0.10, or None for a headless service",
    );
    expect(refusal(text.replace("{ports", "{type: ExternalName, externalName: x.example, ports"))).toBeUndefined();
    expect(refusal(text.replace("{ports", "{clusterIP: None, ports"))).toBeUndefined();
  });

  test.each([
    ["just text", "1: not an object"],
    ["a: 1", "1: kind: missing"],
    ["kind: Service\nmetadata: {name: a}", "1: apiVersion: missing"],
    ["apiVersion: v1\nkind: Service\nmetadata: {}", "1: Service: metadata.name: missing"],
    [WEB.replace("10.0.0.1", "10.0.0"), "1: Service default/web: spec.clusterIP: not an IPv4 or IPv6 address"],
    ["apiVersion: v1\nkind: List\nitems: 3", "1: items: not an array"],
    [`${WEB}---\napiVersion: v1\nkind: List\nitems: [3]`, "6: not an object"],
  ])("%j is refused", (text, expected) => {
    expect(refusal(text)).toBe(expected);
  });
});
