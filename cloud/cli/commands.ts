import { type Flag, OUTPUT, type Program } from "../../src/cli/command.ts";

const ACCESS: readonly Flag[] = [
  {
    name: "namespace",
    short: "n",
    placeholder: "NAMESPACE",
    help: "Where the operator writes. Default: fabedge.",
  },
  {
    name: "kubeconfig",
    placeholder: "PATH",
    help: "Default: $KUBECONFIG, ~/.kube/config, the service account of the pod.",
  },
  { name: "context", placeholder: "NAME", help: "A context of the kubeconfig. Default: its current one." },
];

/** What shows a person a cluster: everything is read, nothing is written. */
export const PROGRAM: Program = {
  name: "selvedge-cloud",
  commands: [
    {
      words: ["nodes"],
      summary: "Show the nodes as the operator plans for them.",
      description:
        "Made by the operator's own plan from what the API server has now, with the settings of the operator that is\n" +
        "installed. With names: everything about these nodes.",
      examples: [
        { line: "selvedge-cloud nodes", does: "all of them, and the connector" },
        { line: "selvedge-cloud nodes --edge-only -l region=north", does: "some" },
        { line: "kubectl selvedge nodes e1", does: "one, its peers and what is wrong with it included" },
      ],
      argument: { name: "NAME", required: false, many: true },
      flags: [
        { name: "selector", short: "l", placeholder: "SELECTOR", help: "Only nodes with these labels." },
        { name: "edge-only", short: "e", help: "Only edge nodes." },
        OUTPUT,
        ...ACCESS,
      ],
    },
    {
      words: ["topology"],
      summary: "Draw who has tunnels with whom.",
      examples: [
        { line: "selvedge-cloud topology > topology.svg", does: "a picture" },
        { line: "selvedge-cloud topology -o dot | dot -Tpng > topology.png", does: "for graphviz" },
      ],
      flags: [
        {
          name: "output",
          short: "o",
          placeholder: "FORMAT",
          choices: ["svg", "dot", "json"],
          help: "Default: svg.",
        },
        ...ACCESS,
      ],
    },
    {
      words: ["certs"],
      summary: "Show the authority and every certificate, and verify them.",
      description: "Exits with 3 when one has ended or is not as it should be.",
      examples: [{ line: "selvedge-cloud certs", does: "who they name, when they end and are renewed" }],
      flags: [OUTPUT, ...ACCESS],
    },
    {
      words: ["check"],
      summary: "Look for what keeps the operator, or nodes, from working.",
      description:
        "Exits with 3 when something is degraded or failed, each with a code and what to do; docs/errors.md has them all.",
      examples: [
        { line: "selvedge-cloud check", does: "API, permissions, authority, leader, plan, certificates" },
        { line: "selvedge-cloud check --installation --wait 60", does: "what was just installed, as helm test asks" },
      ],
      flags: [
        {
          name: "installation",
          help: "Leave out what is wrong with nodes, communities and clusters, and their certificates.",
        },
        { name: "wait", placeholder: "SECONDS", help: "Look again until nothing is wrong, for so long. Default: 0." },
        OUTPUT,
        ...ACCESS,
      ],
    },
    {
      words: ["images"],
      summary: "Show which images run in the operator's namespace.",
      description: "FabEdge's own programs, where they are still there, are named as such.",
      examples: [{ line: "selvedge-cloud images", does: "operator, agents and what is left of FabEdge" }],
      flags: [OUTPUT, ...ACCESS],
    },
  ],
};
