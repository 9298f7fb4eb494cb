import type { Config } from "./options.ts";

export interface CloudSettingsPlace {
  /** The ConfigMap, as a key of the cache: "fabedge/fabedge-agent-config-e1". */
  readonly key: string;
  /** For people: what of it has settings. */
  readonly from: string;
  /** Where it is kept for the next start. */
  readonly file: string;
}

/** FabEdge's name. */
export function nodeConfigMap(nodeName: string): string {
  return `fabedge-agent-config-${nodeName}`;
}

/** Where the cloud's settings of this node are; undefined: tunnels.yaml is mounted, and settings come as flags with it. */
export function cloudSettingsPlace(config: Config): CloudSettingsPlace | undefined {
  const { namespace, nodeName, stateDir, tunnelsConf } = config;
  if (tunnelsConf !== undefined) return undefined;
  const key = `${namespace}/${nodeConfigMap(nodeName)}`;
  return { key, from: `config.yaml of ConfigMap ${key}`, file: `${stateDir}/cloud-settings.yaml` };
}
