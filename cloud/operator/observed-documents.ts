import { type DecodeError, ok, type Result } from "../../src/base/result.ts";
import { parseJson } from "../../src/kube/json-view.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { type ObjectCondition, readCondition } from "../../src/kube/objects/condition.ts";
import { CREATED_BY, CREATED_BY_LABEL } from "../../src/kube/objects/created-by.ts";
import { NAME_LENGTH_MAX } from "../../src/kube/objects/metadata.ts";
import { parseSecret } from "../../src/kube/objects/secret.ts";
import { contentDigest, ownedPart } from "../../src/kube/owned-fields.ts";
import { CONFIG_MAPS, IP_POOLS, PODS, SECRETS, type Selection } from "../../src/kube/resource.ts";
import type { SecretTexts } from "./certificates.ts";
import { keepCertificate } from "./kept-certificate.ts";
import { AGENT_APP, APP_LABEL, KEY_LABEL, MANAGED_BY, MANAGED_BY_LABEL, POD_HASH_LABEL } from "./object-names.ts";
import { type LeafTexts, textsOf } from "./secret-manifest.ts";

/** Whom the API server knows our fields by. */
export const FIELD_MANAGER = "selvedge-operator";

/** Something that is planned from, and what is said of it in its status. */
export interface Reported<T> {
  readonly value: T;
  readonly condition: ObjectCondition | undefined;
  /** Of what we applied of its status; empty: nothing. */
  readonly statusDigest: string;
  /** Of what we applied of the object itself; empty: nothing. */
  readonly digest: string;
}

/** A certificate's Secret. Its private key is not kept. */
export interface LeafSecret {
  /** As keepCertificate has it. */
  readonly certificate: string;
  readonly bundle: string;
  /** Certificate, key and authorities are as we wrote them, so that they fit. */
  readonly whole: boolean;
  readonly keyIsOnNode: boolean;
  /** Of what we applied of its metadata. */
  readonly metadataDigest: string;
}

export interface AgentPod {
  readonly node: string;
  /** Of its spec; undefined: this operator has not made it. */
  readonly hash: string | undefined;
  /** Its probes have been answered. */
  readonly ready: boolean;
  readonly terminating: boolean;
  /** For good, as when its node was shut down or short of memory: no kubelet starts it again. */
  readonly ended: boolean;
}

/** PodPhase of core/v1: those that a pod does not leave. */
const ENDED = new Set(["Failed", "Succeeded"]);
const LEAF_KEYS = ["tls.crt", "tls.key", "ca.crt"];

/** The digest of what we applied; empty: nothing. What the object says is not kept. */
export const CONFIG_MAP_DECODER: ObjectDecoder<string> = {
  resource: CONFIG_MAPS,
  decode: (json) => ok(digestOf(json)),
};
export const IP_POOL_DECODER: ObjectDecoder<string> = { resource: IP_POOLS, decode: (json) => ok(digestOf(json)) };

/** The authority's Secret, keys included. */
export const SECRET_DECODER: ObjectDecoder<SecretTexts> = { resource: SECRETS, decode: readTexts };

/** A certificate's Secret that is looked at closely, key included. */
export const LEAF_TEXTS_DECODER: ObjectDecoder<LeafTexts> = {
  resource: SECRETS,
  decode: (json) => {
    const texts = readTexts(json);
    return texts.ok ? ok({ texts: texts.value, keyIsOnNode: isNodeHeld(json) }) : texts;
  },
};

export const POD_DECODER: ObjectDecoder<AgentPod> = {
  resource: PODS,
  decode: (json) =>
    parseJson(json, (object) => {
      const metadata = object.field("metadata");
      const label = (name: string) => metadata.field("labels").field(name).optionalString(NAME_LENGTH_MAX) ?? "";
      return {
        node: object.field("spec").field("nodeName").optionalString(NAME_LENGTH_MAX) ?? "",
        hash: label(MANAGED_BY_LABEL) === MANAGED_BY ? label(POD_HASH_LABEL) : undefined,
        ready: readCondition(json, "Ready")?.status === "True",
        terminating: !metadata.field("deletionTimestamp").absent,
        ended: ENDED.has(object.field("status").field("phase").optionalString(NAME_LENGTH_MAX) ?? ""),
      };
    }),
};

/** FabEdge's as well as ours. */
export function agentPods(namespace: string): Selection {
  return { namespace, labelSelector: `${CREATED_BY_LABEL}=${CREATED_BY},${APP_LABEL}=${AGENT_APP}` };
}

/** @param intern one text for all that are equal: every node has the same authorities */
export function leafDecoder(intern: (text: string) => string): ObjectDecoder<LeafSecret> {
  return {
    resource: SECRETS,
    decode: (json) => {
      const texts = readTexts(json);
      if (!texts.ok) return texts;
      const owned = ownedPart(json, FIELD_MANAGER) as Partial<Record<"data" | "metadata", object>> | undefined;
      const ownedKeys = new Set(Object.keys(owned?.data ?? {}));
      return ok({
        certificate: keepCertificate(texts.value["tls.crt"] ?? ""),
        bundle: intern(texts.value["ca.crt"] ?? ""),
        whole: LEAF_KEYS.every((key) => ownedKeys.has(key)),
        keyIsOnNode: isNodeHeld(json),
        metadataDigest: contentDigest(owned?.metadata),
      });
    },
  };
}

/** @param condition the type of the condition that says whether the object does what it is for */
export function reportedDecoder<T>(decoder: ObjectDecoder<T>, condition: string): ObjectDecoder<Reported<T>> {
  return {
    resource: decoder.resource,
    decode: (json) => {
      const value = decoder.decode(json);
      if (!value.ok || value.value === undefined) return value as Result<undefined, DecodeError>;
      return ok({
        value: value.value,
        condition: readCondition(json, condition),
        statusDigest: digestOf(json, "status"),
        digest: digestOf(json),
      });
    },
  };
}

function digestOf(json: unknown, subresource?: string): string {
  const part = ownedPart(json, FIELD_MANAGER, subresource);
  return part === undefined ? "" : contentDigest(part);
}

function isNodeHeld(json: unknown): boolean {
  const label = parseJson(json, (object) =>
    object.field("metadata").field("labels").field(KEY_LABEL).optionalString(NAME_LENGTH_MAX),
  );
  return label.ok && label.value === "node";
}

function readTexts(json: unknown): Result<SecretTexts, DecodeError> {
  const secret = parseSecret(json);
  return secret.ok ? ok(textsOf(secret.value)) : secret;
}
