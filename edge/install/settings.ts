import { OPTION_GROUPS, OPTION_KEYS, type OptionGroup, optionOf } from "../config/options.ts";

const INTRODUCTION = `# Selvedge's settings on this node. Each line that is commented out shows a default.
# The same names are flags (--node-name) and environment variables (SELVEDGE_NODE_NAME), which go before this file;
# "selvedge config view" shows which one counts. After a change: systemctl restart selvedge; traffic goes on meanwhile.
# The service reads no file under /home, /root and /run/user, and writes none but in its own directories.
`;

/** The configuration file of a new node: every setting with its help and default, none set. */
export function formatSettings(): string {
  const groups = Object.keys(OPTION_GROUPS) as readonly OptionGroup[];
  return INTRODUCTION + groups.map(formatGroup).join("");
}

function formatGroup(group: OptionGroup): string {
  const options = OPTION_KEYS.map(optionOf).filter((option) => option.group === group && !option.notInFile);
  return `\n## ${OPTION_GROUPS[group]}\n${options.map(formatOption).join("")}`;
}

function formatOption(option: ReturnType<typeof optionOf>): string {
  const value = option.type.format(option.fallback({ hostname: "" }));
  return `\n# ${option.help}\n#${option.name}:${value === "" ? "" : ` ${value}`}\n`;
}
