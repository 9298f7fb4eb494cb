import { isInRange, planAddress } from "../../../edge/pod/address-plan.ts";
import { parseCniRequest } from "../../../edge/pod/cni-request.ts";
import { formatCniResult } from "../../../edge/pod/cni-result.ts";
import { CNI_VERSIONS, parseCniVersion } from "../../../edge/pod/cni-version.ts";
import { parseNetworkConfig, parseRequestedVersion } from "../../../edge/pod/network-config.ts";
import { SelvedgeError } from "../../../src/base/errors.ts";
import { ipFamily } from "../../../src/base/ip.ts";
import { hold, textOf, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What a container runtime sends: a network configuration, and the words of its environment. */
export const target: FuzzTarget = {
  mostBytes: 2048,
  form: "json",
  words: [
    "host-local",
    "ranges",
    "subnet",
    "gateway",
    "rangeStart",
    "portMappings",
    "prevResult",
    "10.1.7.0/24",
    "ADD",
  ],
  run: (input) => {
    const text = textOf(input);
    const outcome = attempt(() => readConfig(text));
    const words = text.split('"');
    attempt(() => readEnvironment(words[text.length % words.length] ?? ""));
    return outcome;
  },
};

function readConfig(text: string): string {
  hold(CNI_VERSIONS.includes(parseRequestedVersion(text)), "a version that we do not know");
  const config = parseNetworkConfig(text);
  hold(!/[/\0]/.test(config.name) && config.name !== "..", `a network ${config.name}, which is a folder`);
  hold(config.dataDir.startsWith("/"), `a folder ${config.dataDir}`);
  for (const set of config.ranges) {
    const planned = planAddress(set, new Set(), undefined);
    if (planned === undefined) continue;
    hold(isInRange(planned.range, planned.address), `${planned.address} is in no range`);
    hold(
      set.every((range) => ipFamily(range.first) === ipFamily(planned.address)),
      "a set of both families",
    );
  }
  if (config.previous !== undefined) JSON.parse(formatCniResult(config.cniVersion, config.previous));
  return `read ${config.ranges.length} ${config.portMappings.length > 0} ${config.bandwidth !== undefined}`;
}

function readEnvironment(word: string): string {
  parseCniVersion(word);
  const env = { CNI_COMMAND: "DEL", CNI_CONTAINERID: word, CNI_IFNAME: word };
  // What is no path ends the reading.
  const request = parseCniRequest(word.length % 2 === 0 ? env : { ...env, CNI_NETNS: word });
  hold(request.command === "DEL" && !/[/\s]/.test(request.attachment.ifName), "an interface's name that is a path");
  return request.command;
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SelvedgeError)) throw error;
    return `${error.code} ${withoutNumbers(error.message).split(/["[]/)[0]?.slice(0, 80)}`;
  }
}
