import { formatPrefix, type Ip, ipFamily, type Prefix, parseIp, parsePrefix } from "../../src/base/ip.ts";
import { fail, ok, type Result } from "../../src/base/result.ts";

/** How one kind of setting is written, read and shown. A failure is the end of "it takes …". */
export interface ValueType<T> {
  /** What stands for a value in the help: "ADDRESS,...". */
  readonly placeholder: string;
  readonly parse: (text: string) => Result<T, string>;
  readonly format: (value: T) => string;
  /** A flag may be given several times, and the file may have a sequence. */
  readonly list?: true;
  /** A bare flag means "true". */
  readonly switch?: true;
  /** The file may have a number. Elsewhere one is refused: YAML has turned "010" or "1.10" into something else. */
  readonly number?: true;
}

/** An address with a port, as "192.0.2.1:53", "192.0.2.1", "[2001:db8::1]:53" or "2001:db8::1". */
export interface SocketAddress {
  readonly address: Ip;
  readonly port: number;
}

/** Longer lists of addresses or networks are a mistake: a node has a few of each. */
export const MAX_LIST_ITEMS = 64;

/** PATH_MAX of linux/limits.h; every other setting is shorter. */
export const MAX_SETTING_LENGTH = 4096;

const TRUE = new Set(["true", "t", "1"]);
const FALSE = new Set(["false", "f", "0"]);

/** The spellings that Go's strconv.ParseBool takes, so FabEdge's too. */
export const boolean: ValueType<boolean> = {
  placeholder: "",
  switch: true,
  parse: (text) => {
    const word = text.toLowerCase();
    if (TRUE.has(word)) return ok(true);
    return FALSE.has(word) ? ok(false) : fail("true or false");
  },
  format: String,
};

export function choice<const T extends string>(choices: readonly T[]): ValueType<T> {
  return {
    placeholder: choices.join("|"),
    parse: (text) => {
      const found = choices.find((c) => c === text);
      return found === undefined ? fail(`one of ${choices.join(", ")}`) : ok(found);
    },
    format: String,
  };
}

export function integer(least: number, most: number): ValueType<number> {
  return {
    placeholder: "N",
    number: true,
    parse: (text) => {
      const value = /^(?:0|[1-9]\d{0,8})$/.test(text) ? Number(text) : Number.NaN;
      return value >= least && value <= most ? ok(value) : fail(`a number from ${least} to ${most}`);
    },
    format: String,
  };
}

export const path: ValueType<string> = {
  placeholder: "PATH",
  parse: (text) =>
    text.startsWith("/") && !text.includes("\0") ? ok(text.replace(/(?<=.)\/+$/, "")) : fail("an absolute path"),
  format: String,
};

/** A path, or a name in a folder that is known. */
export const file: ValueType<string> = {
  placeholder: "FILE",
  parse: (text) => {
    const isName = /^[^/\0]+$/.test(text) && text !== "." && text !== "..";
    return isName || path.parse(text).ok ? ok(text) : fail("a file's name or its absolute path");
  },
  format: String,
};

/** Absent until somebody sets it. */
export function optional<T>(type: ValueType<T>): ValueType<T | undefined> {
  return { ...type, format: (value) => (value === undefined ? "" : type.format(value)) };
}

export function listOf<T>(item: ValueType<T>): ValueType<readonly T[]> {
  return {
    placeholder: `${item.placeholder},...`,
    list: true,
    parse: (text) => {
      if (text.trim() === "") return ok([]);
      const parts = text.split(",").map((part) => part.trim());
      if (parts.length > MAX_LIST_ITEMS) return fail(`at most ${MAX_LIST_ITEMS} items`);
      const values: T[] = [];
      for (const part of parts) {
        const value = item.parse(part);
        if (!value.ok) return fail(`${value.error}, or several separated by commas`);
        values.push(value.value);
      }
      return ok(values);
    },
    format: (values) => values.map(item.format).join(","),
  };
}

export const address: ValueType<Ip> = {
  placeholder: "ADDRESS",
  parse: (text) => {
    const ip = parseIp(text);
    return ip.ok ? ip : fail("an IPv4 or IPv6 address");
  },
  format: String,
};

export const network: ValueType<Prefix> = {
  placeholder: "CIDR",
  parse: (text) => {
    const prefix = parsePrefix(text);
    return prefix.ok ? prefix : fail('a network such as "10.96.0.0/12"');
  },
  format: formatPrefix,
};

/** @param defaultPort taken where the text has no port; undefined means that it must have one */
export function socketAddress(defaultPort: number | undefined): ValueType<SocketAddress> {
  const example = defaultPort === undefined ? '"127.0.0.1:10560" or "[::1]:10560"' : '"192.0.2.1" or "192.0.2.1:53"';
  const wrong = fail(`an address and port such as ${example}`);
  return {
    placeholder: defaultPort === undefined ? "ADDRESS:PORT" : "ADDRESS[:PORT]",
    parse: (text) => {
      const bare = parseIp(text);
      if (bare.ok) return defaultPort === undefined ? wrong : ok({ address: bare.value, port: defaultPort });
      const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
      const ip = parseIp(match?.[1] ?? match?.[2] ?? "");
      const port = Number(match?.[3]);
      if (!ip.ok || !(port <= 65535) || (ipFamily(ip.value) === 6) !== (match?.[1] !== undefined)) return wrong;
      return ok({ address: ip.value, port });
    },
    format: ({ address: ip, port }) => {
      if (port === defaultPort) return ip;
      return ipFamily(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`;
    },
  };
}

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const SUBDOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

/** RFC 1123 subdomain of at most 253 bytes, as Kubernetes wants node names and cluster domains. */
export const domainName: ValueType<string> = {
  placeholder: "NAME",
  parse: (text) => {
    const name = text.toLowerCase().replace(/\.$/, "");
    return name.length <= 253 && SUBDOMAIN.test(name)
      ? ok(name)
      : fail("a name of letters, digits, dashes and dots, at most 253 long");
  },
  format: String,
};

/** dev_valid_name of net/core/dev.c: below IFNAMSIZ (16), no slash, colon or white space. */
export const interfaceName: ValueType<string> = {
  placeholder: "NAME",
  parse: (text) =>
    /^[^\s/:]{1,15}$/.test(text) && text !== "." && text !== ".."
      ? ok(text)
      : fail("an interface name of 1 to 15 characters without slash, colon or space"),
  format: String,
};

/** The CNI specification's; it becomes the name of a file and of a folder. */
export const networkName: ValueType<string> = {
  placeholder: "NAME",
  parse: (text) =>
    /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/.test(text)
      ? ok(text)
      : fail("a name of 1 to 64 letters, digits, dots, dashes and underscores"),
  format: String,
};

/** A zone or region, as FabEdge's service-hub takes it: any text with a letter or a digit in it. */
export const placeName: ValueType<string> = {
  placeholder: "NAME",
  parse: (text) => {
    const name = text.trim();
    return name.length <= 253 && /[\p{L}\p{N}]/u.test(name)
      ? ok(name)
      : fail("a name with a letter or a digit in it, at most 253 long");
  },
  format: String,
};

/** An http or https URL. One with a password is refused: what is in a flag is in every process list. */
export const url: ValueType<string> = {
  placeholder: "URL",
  parse: (text) => {
    const wrong = fail('a URL such as "http://127.0.0.1:10550"');
    if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return wrong;
    const parsed = new URL(text);
    if (parsed.username !== "" || parsed.password !== "")
      return fail("a URL without user and password (use --token-file)");
    if (parsed.search !== "" || parsed.hash !== "") return wrong;
    return ok(parsed.href.replace(/\/+$/, ""));
  },
  format: String,
};
