import { errorCode } from "../base/errors.ts";
import type { KubeClient } from "./client.ts";
import { type ObjectDecoder, readObject } from "./object-reader.ts";
import type { Stored } from "./object-store.ts";
import { type ObjectName, objectPath } from "./resource.ts";
import { badResponse } from "./status.ts";
import { WRITE_TIMEOUT } from "./writer.ts";

/** One object as the server has it now; undefined: it is not there, or of no use to us. */
export async function getObject<T>(
  client: KubeClient,
  decoder: ObjectDecoder<T>,
  name: ObjectName,
  signal: AbortSignal,
): Promise<Stored<T> | undefined> {
  const path = objectPath(decoder.resource, name);
  const request = { verb: "get", method: "GET", path, timeout: WRITE_TIMEOUT } as const;
  const json = await client.send(request, signal).catch((error) => {
    if (errorCode(error) === "KUBE_NOT_FOUND") return undefined;
    throw error;
  });
  if (json === undefined) return undefined;
  const read = readObject(json, decoder);
  if (!read.ok) throw badResponse(`get ${path}`, `${read.rejected.at}: ${read.rejected.why}`);
  const { value } = read.object;
  return value === undefined ? undefined : { ...read.object, value };
}
