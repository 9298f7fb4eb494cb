import { formatPrefix, type Prefix } from "../../src/base/ip.ts";

/** The file's name in the folder of plugins, and so the `type` in a configuration. */
export const PLUGIN_NAME = "selvedge-cni";

export interface ConflistSettings {
  readonly cniVersion: string;
  readonly networkName: string;
  readonly bridgeName: string;
  readonly mtu: number;
  readonly hairpin: boolean;
  /** "stock": the plugins bridge, host-local, portmap and bandwidth of containernetworking, as FabEdge names them. */
  readonly plugins: "builtin" | "stock";
}

/** The network of this node's pods, as container runtimes read it: FabEdge's, with one plugin in the place of four. */
export function formatConflist(settings: ConflistSettings, subnets: readonly Prefix[]): string {
  const bridge = {
    bridge: settings.bridgeName,
    isDefaultGateway: true,
    forceAddress: true,
    hairpinMode: settings.hairpin,
    mtu: settings.mtu,
    ipam: { type: "host-local", ranges: subnets.map((subnet) => [{ subnet: formatPrefix(subnet) }]) },
  };
  const plugins =
    settings.plugins === "stock"
      ? [
          { type: "bridge", ...bridge },
          { type: "portmap", capabilities: { portMappings: true } },
          { type: "bandwidth", capabilities: { bandwidth: true } },
        ]
      : [{ type: PLUGIN_NAME, capabilities: { portMappings: true, bandwidth: true }, ...bridge }];
  const { cniVersion, networkName: name } = settings;
  return `${JSON.stringify({ cniVersion, name, plugins }, undefined, 2)}\n`;
}

/** Whether a configuration needs this program: one for the stock plugins is as good as FabEdge's own. */
export function namesOurPlugin(text: string): boolean {
  return text.includes(`"${PLUGIN_NAME}"`);
}
