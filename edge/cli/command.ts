import { type Command, type Flag, OUTPUT, type Program } from "../../src/cli/command.ts";

const DRY_RUN: Flag = { name: "dry-run", help: "Say what would be done, and do nothing." };

/** How a command finds the agent. */
const AGENT: readonly Flag[] = [
  { name: "run-dir", placeholder: "PATH", help: "Where the agent's control socket is. Default: as configured." },
  { name: "config", placeholder: "PATH", help: "The agent's configuration file." },
];

/** Where there is more to tell than fits a line of a terminal. */
const WIDE_OUTPUT: Flag = {
  ...OUTPUT,
  choices: ["table", "wide", "json", "yaml"],
  help: "How to print: table for people, wide with more columns, json or yaml for programs.",
};

/** The command line: help, completion and dispatch all read this table. */
export const COMMANDS: readonly Command[] = [
  {
    words: ["run"],
    summary: "Run the agent in the foreground, as the service does.",
    description:
      "Each setting is a flag, or an environment variable (--node-name is SELVEDGE_NODE_NAME), or a line of the file\n" +
      "that --config names (node-name: edge-1); the first of these that names it counts. Arguments of FabEdge's agent\n" +
      "that do nothing here are warned about. Stopping the agent leaves services in the kernel: see cleanup.",
    examples: [
      { line: "selvedge run", does: "on a KubeEdge node: everything from edgecore's metaServer" },
      { line: "selvedge run --source=hub --meta-server=http://192.0.2.1:10550", does: "from a folder of manifests" },
    ],
    flags: [],
    settings: true,
  },
  {
    words: ["status"],
    summary: "Show what the agent does, and what is wrong.",
    description: "Exits with 3 when something is degraded or failed. Being cut off from the cloud is neither.",
    examples: [
      { line: "selvedge status", does: "one screen" },
      { line: "selvedge status -o json", does: "the same for a program" },
    ],
    flags: [OUTPUT, ...AGENT],
  },
  {
    words: ["services"],
    summary: "Show services as this node reaches them.",
    description: "With a name: every port and endpoint of it.",
    examples: [
      { line: "selvedge services", does: "all of them" },
      { line: "selvedge services web -n shop", does: "where connections to shop/web go" },
    ],
    argument: { name: "NAME", required: false },
    flags: [
      { name: "namespace", short: "n", placeholder: "NAMESPACE", help: "Only those of this namespace." },
      { name: "all-namespaces", short: "A", help: "Those of all namespaces, as without -n." },
      OUTPUT,
      ...AGENT,
    ],
  },
  {
    words: ["tunnels"],
    summary: "Show the tunnels to other nodes and clouds, and why those are down that are.",
    description:
      "With a name: all that charon knows of it, as swanctl --list-sas has it. Exits with 3 when one of them is not up.",
    examples: [
      { line: "selvedge tunnels", does: "a line for each" },
      { line: "selvedge tunnels -o wide", does: "with addresses, ports, NAT and rekeying" },
      { line: "selvedge tunnels paris.connector", does: "its SAs, selectors and counters" },
    ],
    argument: { name: "PEER", required: false },
    flags: [WIDE_OUTPUT, ...AGENT],
  },
  {
    words: ["peers"],
    summary: "Show who can be reached from this node, and by which path.",
    examples: [
      { line: "selvedge peers", does: "all of them" },
      { line: "selvedge peers -o wide", does: "with their subnets and nodes" },
    ],
    argument: { name: "PEER", required: false },
    flags: [WIDE_OUTPUT, ...AGENT],
  },
  {
    words: ["dns", "resolve"],
    summary: "Ask the agent's resolver for a name, as a pod would.",
    description: "Exits with 1 when the answer is an error or empty. A short name is looked for in the cluster first.",
    examples: [
      { line: "selvedge dns resolve web.shop", does: "the service's addresses" },
      { line: "selvedge dns resolve _http._tcp.web.shop.svc.cluster.local --type SRV", does: "its ports" },
    ],
    argument: { name: "NAME", required: true },
    flags: [
      {
        name: "namespace",
        short: "n",
        placeholder: "NAMESPACE",
        help: "The asking pod's namespace. Default: default.",
      },
      {
        name: "type",
        placeholder: "TYPE",
        choices: ["A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "MX", "NS", "SOA"],
        help: "The record type. Default: A.",
      },
      OUTPUT,
      ...AGENT,
    ],
  },
  {
    words: ["check"],
    summary: "Look for what would keep, or keeps, this node from working.",
    description:
      "Looks at the kernel, privileges, ports, disk and source itself, and then asks the agent. Exits with 3 when\n" +
      "something is degraded or failed, each with a code and what to do; docs/errors.md has them all.",
    examples: [
      { line: "selvedge check --pre", does: "before the agent runs for the first time" },
      { line: "selvedge check", does: "at any time" },
    ],
    flags: [{ name: "pre", help: "The agent does not run yet: look at the host only." }, OUTPUT, ...AGENT],
  },
  {
    words: ["cleanup"],
    summary: "Remove from this host what the agent left in the kernel.",
    description:
      "Removes exactly what carries the agent's own names. It refuses while the agent runs, and keeps what pods hang on\n" +
      "until the last of them is gone.",
    examples: [
      { line: "selvedge cleanup --dry-run", does: "what there is" },
      { line: "systemctl stop selvedge && selvedge cleanup", does: "the node as it was before" },
    ],
    flags: [DRY_RUN, OUTPUT, ...AGENT],
  },
  {
    words: ["config", "view"],
    summary: "Show each setting, and which of flag, environment, file, cloud and default won.",
    description: "Reads what the agent would read when it is started here with the same flags and environment.",
    examples: [
      { line: "selvedge config view", does: "what counts" },
      { line: "selvedge config view --origin", does: "what it beat as well" },
    ],
    flags: [{ name: "origin", help: "Show also the values that were beaten, and where they stand." }, OUTPUT],
    settings: true,
  },
  {
    words: ["install"],
    summary: "Put this program, its systemd unit and a configuration file in their places.",
    description: "Starts nothing, and leaves a configuration file that is there as it is.",
    examples: [
      { line: "./selvedge install && systemctl enable --now selvedge", does: "from a copied file to a working node" },
    ],
    flags: [DRY_RUN],
  },
  {
    words: ["charon-config"],
    summary: "Write what strongSwan's charon is to read before it starts, as its service does.",
    description:
      "Asks the kernel whether it does ESP, and writes /run/selvedge/charon/strongswan.conf. Fails where another charon is\n" +
      "to be used (--vici-socket), or has IKE's port.",
    examples: [{ line: "selvedge charon-config", does: "what selvedge-charon.service does first" }],
    flags: [],
    settings: true,
  },
  {
    words: ["cni"],
    summary: "Connect a pod, as a container runtime asks for it.",
    description:
      "A CNI plugin of the versions 0.3.0 to 1.1.0: the bridge, addresses, port mappings and bandwidth of a pod. It takes\n" +
      "its command from the environment (CNI_COMMAND and so on) and the network's configuration from standard input.\n" +
      "Called by the name selvedge-cni, the program does this without being told.",
    examples: [
      {
        line: 'echo \'{"cniVersion":"1.0.0"}\' | CNI_COMMAND=VERSION selvedge cni',
        does: "the versions that it knows",
      },
    ],
    flags: [],
  },
  {
    words: ["join"],
    summary: "Get a certificate for this node with a token of the operator's.",
    description:
      "The node makes its own key, which never leaves it; a key that is there is kept. The operator is believed only\n" +
      "when it shows the authority with the hash that is given here. selvedge-cloud token create NODE prints the line.",
    examples: [
      {
        line: "selvedge join https://192.0.2.1:30303 --token edge-1.0123… --ca-cert-hash sha256:89ab…",
        does: "once, on the node that the token names",
      },
    ],
    argument: { name: "URL", required: true },
    flags: [
      { name: "token", placeholder: "TOKEN", help: "What selvedge-cloud token create printed." },
      { name: "ca-cert-hash", placeholder: "sha256:HEX", help: "The hash of the authority's certificate." },
      { name: "tls-dir", placeholder: "PATH", help: "Where key and certificate are kept. Default: as configured." },
    ],
  },
  {
    words: ["version"],
    summary: "Print the version.",
    examples: [{ line: "selvedge version -o json", does: "for a program" }],
    flags: [OUTPUT],
  },
  {
    words: ["completion"],
    summary: "Print what makes a shell complete commands and flags.",
    examples: [
      { line: "source <(selvedge completion bash)", does: "for this shell" },
      { line: "selvedge completion fish > ~/.config/fish/completions/selvedge.fish", does: "for good" },
    ],
    argument: { name: "SHELL", required: true, choices: ["bash", "zsh", "fish"] },
    flags: [],
  },
];

export const PROGRAM: Program = { name: "selvedge", commands: COMMANDS };
