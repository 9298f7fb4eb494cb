import type { Clock } from "../../src/base/clock.ts";
import type { Health } from "../../src/base/health.ts";
import { judgeTexts } from "../../src/certificate/fabric-credentials.ts";
import { parseNodeConfig } from "../../src/kube/objects/node-config.ts";
import type { OwnDocuments } from "../cache/cache.ts";
import { nodeConfigMap } from "../config/cloud-settings-place.ts";
import type { Config } from "../config/options.ts";
import { mountedPaths, readJoined, readMounted } from "../identity/identity-files.ts";
import { type DocumentKeys, type IdentityFiles, NodeIdentity } from "../identity/node-identity.ts";
import { FolderWatches, WATCHED_FILES } from "../identity/watched-files.ts";

/** What the cache follows for this node's identity; undefined: tunnels.yaml is mounted. */
export function ownDocuments({ namespace, nodeName, tunnelsConf }: Config): OwnDocuments | undefined {
  if (tunnelsConf !== undefined) return undefined;
  return {
    namespace,
    configMap: nodeConfigMap(nodeName),
    // FabEdge's name.
    secret: `fabedge-agent-tls-${nodeName}`,
    judgeSecret: judgeTexts,
  };
}

export function makeIdentity(config: Config, health: Health, clock: Clock): NodeIdentity {
  const documents = ownDocuments(config);
  return new NodeIdentity({
    documents: documents && documentKeys(documents),
    files:
      config.tunnelsConf === undefined ? joinedFiles(config, clock) : mountedFiles(config.tunnelsConf, config, clock),
    parseConfig: parseNodeConfig,
    health,
    clock,
  });
}

function documentKeys({ namespace, configMap, secret }: OwnDocuments): DocumentKeys {
  return { configMap: `${namespace}/${configMap}`, secret: `${namespace}/${secret}` };
}

function joinedFiles({ tlsDir }: Config, clock: Clock): IdentityFiles {
  return {
    configPath: undefined,
    read: () => readJoined(tlsDir, WATCHED_FILES),
    watch: (onChange, scope) => new FolderWatches([tlsDir], clock, onChange, scope),
  };
}

function mountedFiles(tunnelsConf: string, { localCert }: Config, clock: Clock): IdentityFiles {
  const paths = mountedPaths(tunnelsConf, localCert);
  const folderOf = (path: string) => path.slice(0, path.lastIndexOf("/")) || "/";
  const certificates = folderOf(paths.certificate);
  // A mounted Secret's folders are links into the version of the moment, which is swapped in the folder above them.
  const folders = [folderOf(paths.config), folderOf(certificates), certificates, paths.keys, paths.authorities];
  return {
    configPath: paths.config,
    read: () => readMounted(paths, WATCHED_FILES),
    watch: (onChange, scope) => new FolderWatches([...new Set(folders)], clock, onChange, scope),
  };
}
