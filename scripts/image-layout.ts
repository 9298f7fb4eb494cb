import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A tar archive, as it is and compressed by gzip: two files. */
export interface ImageLayer {
  readonly tar: string;
  readonly compressed: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const TYPE = "application/vnd.oci.image";
/** Images of one tree are one image, whenever they are made. */
const CREATED = "1970-01-01T00:00:00Z";

/** One image for several architectures as a folder (OCI image specification 1.1, image-layout.md). */
export class ImageLayout {
  readonly #folder: string;
  readonly #name: string;
  readonly #annotations: Readonly<Record<string, string>>;
  readonly #manifests: object[] = [];

  /** @param name with its tag, "selvedge/selvedge:1.0" */
  constructor(folder: string, name: string, about: { readonly title: string; readonly version: string }) {
    this.#folder = folder;
    this.#name = name;
    this.#annotations = {
      "org.opencontainers.image.title": about.title,
      "org.opencontainers.image.version": about.version,
      "org.opencontainers.image.licenses": "Apache-2.0",
    };
    mkdirSync(join(folder, "blobs/sha256"), { recursive: true });
  }

  /** @param config how it is run, config.md's "config" */
  add(architecture: string, config: object, layers: readonly ImageLayer[]): void {
    const platform = { architecture, os: "linux" };
    const image = {
      created: CREATED,
      ...platform,
      config: { ...config, Labels: this.#annotations },
      rootfs: { type: "layers", diff_ids: layers.map(({ tar }) => digestOf(readFileSync(tar))) },
      history: layers.map(() => ({ created: CREATED, created_by: "scripts/images" })),
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: `${TYPE}.manifest.v1+json`,
      config: this.#putJson(`${TYPE}.config.v1+json`, image),
      layers: layers.map(({ compressed }) => this.#putFile(`${TYPE}.layer.v1.tar+gzip`, compressed)),
      annotations: this.#annotations,
    };
    this.#manifests.push({ ...this.#putJson(manifest.mediaType, manifest), platform });
  }

  close(): void {
    const mediaType = `${TYPE}.index.v1+json`;
    const all = this.#putJson(mediaType, { schemaVersion: 2, mediaType, manifests: this.#manifests });
    const [, tag = ""] = this.#name.split(":");
    // containerd and docker look for the whole name, others for the tag.
    const annotations = { "io.containerd.image.name": this.#name, "org.opencontainers.image.ref.name": tag };
    this.#write("index.json", { schemaVersion: 2, mediaType, manifests: [{ ...all, annotations }] });
    this.#write("oci-layout", { imageLayoutVersion: "1.0.0" });
  }

  #putJson(mediaType: string, value: object): Descriptor {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    writeFileSync(this.#blob(digest), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  #putFile(mediaType: string, path: string): Descriptor {
    const digest = digestOf(readFileSync(path));
    copyFileSync(path, this.#blob(digest));
    return { mediaType, digest, size: statSync(path).size };
  }

  #blob(digest: string): string {
    return join(this.#folder, "blobs", digest.replace(":", "/"));
  }

  #write(name: string, value: object): void {
    writeFileSync(join(this.#folder, name), JSON.stringify(value));
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
