import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** One system call that changes what is on the disk, or makes sure of it. Files are named without their folder. */
export type DiskCall =
  | { readonly call: "create"; readonly file: string; readonly truncate: boolean }
  | { readonly call: "write"; readonly file: string; readonly offset: number; readonly bytes: Buffer }
  | { readonly call: "truncate"; readonly file: string; readonly size: number }
  | { readonly call: "sync"; readonly file: string }
  | { readonly call: "sync folder" }
  | { readonly call: "rename"; readonly file: string; readonly to: string }
  | { readonly call: "link"; readonly file: string; readonly to: string }
  | { readonly call: "unlink"; readonly file: string };

const CALLS =
  "open,openat,creat,write,pwrite64,pwritev,writev,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range," +
  "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mmap";

/**
 * The words before a program that write every such call of it on some files of a folder down, a file for each thread: see
 * strace(1).
 */
export function traceCommand(output: string, folder: string, files: readonly string[]): readonly string[] {
  const paths = [folder, ...files.map((file) => join(folder, file))].flatMap((path) => ["-P", path]);
  // Hexadecimal throughout, whole, with the path of each descriptor; descriptors' numbers do not matter then.
  const form = ["-ff", "-qq", "-y", "-xx", "-s", "1000000", "-e", "signal=none"];
  return ["strace", ...form, "-e", `trace=${CALLS}`, "-o", output, ...paths];
}

/** @throws for a call that changes the disk in a way that {@link DiskCall} does not know, or for two writing threads */
export function readTrace(output: string, folder: string): readonly DiskCall[] {
  const name = basename(output);
  const traces = readdirSync(dirname(output))
    .filter((file) => file.startsWith(`${name}.`))
    .map((file) => readFileSync(join(dirname(output), file), "latin1"))
    .filter((text) => text.trim() !== "");
  const [trace = "", ...others] = traces;
  if (others.length > 0) throw new Error(`Cannot order calls as ${traces.length} threads made them`);
  return trace.split("\n").flatMap((line) => parseCall(line, folder) ?? []);
}

/** `pwrite64(13<\x2f…>, "\x00…", 24, 32) = 24` and the like. */
function parseCall(line: string, folder: string): DiskCall | undefined {
  const [, call = "", inside = "", result = ""] = /^(\w+)\((.*)\) = (-?\w+)/.exec(line) ?? [];
  if (call === "" || result.startsWith("-")) return undefined;
  const texts = [...inside.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, text]) => bytesOf(text));
  const opened = bytesOf(/^\d+<((?:\\x[0-9a-f]{2})*)>/.exec(inside)?.[1]).toString();
  const named = (at: number) => basename(texts[at]?.toString() ?? "");
  const file = basename(opened);
  const numbers = inside.split(", ").slice(-2).map(Number);
  switch (call) {
    case "open":
    case "openat":
      if (!inside.includes("O_CREAT")) return undefined;
      return { call: "create", file: named(0), truncate: inside.includes("O_TRUNC") };
    case "pwrite64":
      return { call: "write", file, offset: numbers[1] ?? Number.NaN, bytes: texts[0] ?? Buffer.alloc(0) };
    case "ftruncate":
      return { call: "truncate", file, size: numbers[1] ?? Number.NaN };
    case "fsync":
    case "fdatasync":
      return opened === folder ? { call: "sync folder" } : { call: "sync", file };
    case "rename":
    case "renameat":
    case "renameat2":
      return { call: "rename", file: named(0), to: named(1) };
    case "link":
    case "linkat":
      return { call: "link", file: named(0), to: named(1) };
    case "unlink":
    case "unlinkat":
      return { call: "unlink", file: named(0) };
    default:
      throw new Error(`Cannot replay a call that is not known: current value is ${line.slice(0, 80)}`);
  }
}

function bytesOf(hexadecimal = ""): Buffer {
  return Buffer.from(hexadecimal.replaceAll("\\x", ""), "hex");
}
