import { SelvedgeError } from "../../src/base/errors.ts";
import { isInterfaceName } from "./interface-name.ts";
import type { Attachment } from "./reservation.ts";

/** What a container runtime asks for: the specification's environment variables. */
export type CniRequest =
  | { readonly command: "VERSION" }
  | { readonly command: "STATUS" | "GC" }
  | { readonly command: "ADD" | "CHECK"; readonly attachment: Attachment; readonly namespace: string }
  /** The namespace may be gone by now. */
  | { readonly command: "DEL"; readonly attachment: Attachment; readonly namespace: string | undefined };

/** The specification's own; containerd's ids have 64 characters. */
const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** PATH_MAX of linux/limits.h. */
const PATH_LIMIT = 4096;

/** @throws SelvedgeError CNI_ENVIRONMENT */
export function parseCniRequest(env: Readonly<Record<string, string | undefined>>): CniRequest {
  const command = env["CNI_COMMAND"] ?? "";
  switch (command) {
    case "VERSION":
      return { command };
    case "STATUS":
    case "GC":
      return { command };
    case "ADD":
    case "CHECK":
      return { command, attachment: attachmentOf(env), namespace: required(env, "CNI_NETNS", isPath) };
    case "DEL": {
      const namespace = env["CNI_NETNS"] || undefined;
      if (namespace !== undefined && !isPath(namespace)) throw wrong("CNI_NETNS", namespace);
      return { command, attachment: attachmentOf(env), namespace };
    }
    default:
      throw wrong("CNI_COMMAND", command);
  }
}

function attachmentOf(env: Readonly<Record<string, string | undefined>>): Attachment {
  return {
    containerId: required(env, "CNI_CONTAINERID", (text) => CONTAINER_ID.test(text)),
    ifName: required(env, "CNI_IFNAME", isInterfaceName),
  };
}

function required(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  isValid: (text: string) => boolean,
): string {
  const text = env[name] ?? "";
  if (!isValid(text)) throw wrong(name, text);
  return text;
}

function isPath(text: string): boolean {
  return text.startsWith("/") && text.length <= PATH_LIMIT && !text.includes("\0");
}

function wrong(name: string, text: string): SelvedgeError {
  const what = text === "" ? "it is missing" : `current value is "${text.slice(0, 64)}"`;
  return new SelvedgeError(`Cannot take ${name} as what the CNI specification says: ${what}`, {
    code: "CNI_ENVIRONMENT",
    blame: "peer",
    retry: "never",
    hint: "A container runtime calls this program; by hand, cnitool does.",
  });
}
