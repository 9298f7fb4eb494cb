import { PAIRS_LIMIT, type Topology, type TopologyEndpoint } from "./topology.ts";

/** For graphviz, clusters as its own clusters. */
export function formatDot({ cluster, endpoints, communities, links }: Topology): string {
  const byCluster = Map.groupBy(endpoints, (endpoint) => endpoint.cluster);
  const lines = [
    `graph ${quote(cluster)} {`,
    "  graph [overlap=false, splines=true, fontname=Helvetica];",
    "  node [style=filled, fontname=Helvetica, fontcolor=white];",
    "  edge [color=gray70];",
  ];
  for (const [name, members] of byCluster) {
    lines.push(`  subgraph ${quote(`cluster ${name}`)} {`, `    label=${quote(name)};`);
    for (const endpoint of members) lines.push(`    ${quote(endpoint.name)} [${attributes(endpoint)}];`);
    lines.push("  }");
  }
  for (const { from, to, via } of links) {
    const label = via === null ? "" : ` [label=${quote(via)}, fontsize=9, fontcolor=gray40]`;
    lines.push(`  ${quote(from)} -- ${quote(to)}${label};`);
  }
  for (const { name, members } of communities) {
    const colour = `color=darkorange, tooltip=${quote(name)}`;
    if (members.length <= PAIRS_LIMIT) {
      for (const [i, a] of members.entries()) {
        for (const b of members.slice(i + 1)) lines.push(`  ${quote(a)} -- ${quote(b)} [${colour}];`);
      }
      continue;
    }
    // No endpoint's name has a blank.
    const hub = quote(`community ${name}`);
    lines.push(`  ${hub} [shape=plaintext, style="", fontcolor=darkorange, label=${quote(name)}];`);
    for (const member of members) lines.push(`  ${hub} -- ${quote(member)} [${colour}];`);
  }
  return `${lines.join("\n")}\n}\n`;
}

function attributes({ type, local, ready }: TopologyEndpoint): string {
  if (!ready) return 'fillcolor=white, color=red, fontcolor=red, style="filled,dashed"';
  if (type === "Connector") return `shape=box, fillcolor=${local ? "darkgreen" : "navy"}`;
  return local ? "fillcolor=mediumseagreen" : "fillcolor=cornflowerblue";
}

/** The DOT language: in quotes a quote is escaped, and nothing else; a backslash before it would escape the escape. */
function quote(text: string): string {
  return `"${text.replaceAll("\\", "/").replaceAll('"', '\\"')}"`;
}
