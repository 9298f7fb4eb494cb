import { expect, test } from "bun:test";
import { LEAF_TEXTS_DECODER } from "../../../../cloud/operator/observed-documents.ts";
import { planLeafManifest } from "../../../../cloud/operator/secret-manifest.ts";
import { wanted } from "../../../support/certificate-world.ts";

const LEAF = wanted("paris.e1", { labels: { "fabedge.io/node": "e1" } });

test("a node's own key leaves a mark on its Secret, and nothing where the key would be", () => {
  const manifest = planLeafManifest(LEAF, { texts: { "tls.crt": "C", "ca.crt": "A" }, keyIsOnNode: true });
  expect(manifest.metadata.labels).toEqual({ "fabedge.io/node": "e1", "selvedge.io/private-key": "node" });
  expect(manifest["data"]).toEqual({ "tls.crt": "Qw==", "ca.crt": "QQ==", "tls.key": "" });
  expect(LEAF_TEXTS_DECODER.decode(manifest)).toEqual({
    ok: true,
    value: { texts: { "tls.crt": "C", "ca.crt": "A", "tls.key": "" }, keyIsOnNode: true },
  });
});

test("a Secret with the key in it has no such mark", () => {
  const manifest = planLeafManifest(LEAF, { texts: { "tls.key": "K" }, keyIsOnNode: false });
  expect(manifest.metadata.labels).toEqual({ "fabedge.io/node": "e1" });
  expect(LEAF_TEXTS_DECODER.decode(manifest)).toMatchObject({ value: { keyIsOnNode: false } });
});
