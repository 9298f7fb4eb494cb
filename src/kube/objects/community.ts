import type { DecodeError, Result } from "../../base/result.ts";
import type { Community } from "../../network/community.ts";
import { parseJson } from "../json-view.ts";
import { readGeneration, readName } from "./metadata.ts";
import { ENDPOINT_NAME_MAX } from "./tunnel-endpoint.ts";

/** Names of 50 characters fill an object's 1 MB with so many. */
const COMMUNITY_MEMBERS_MAX = 20_000;

export function parseCommunity(json: unknown): Result<Community, DecodeError> {
  return parseJson(json, (object) => ({
    name: readName(object),
    generation: readGeneration(object),
    members: object
      .field("spec")
      .field("members")
      .list(COMMUNITY_MEMBERS_MAX, (member) => member.string(ENDPOINT_NAME_MAX)),
  }));
}
