import type { Scope } from "../../src/base/scope.ts";
import type { Config } from "../config/options.ts";
import { PodNetwork, type PodNetworkSettings } from "../pod/pod-network.ts";
import type { Foundation } from "./capabilities.ts";

export function podNetworkSettings(config: Config): PodNetworkSettings {
  return {
    plugins: config.cniPlugins,
    cniVersion: config.cniVersion,
    confPath: config.cniConfPath,
    binPath: config.cniBinPath,
    networkName: config.cniNetworkName,
    bridgeName: config.cniBridgeName,
    mtu: config.networkPluginMtu,
    hairpin: config.enableHairpinmode,
  };
}

export function makePodNetwork({ config, system, health, log, metrics }: Foundation, scope: Scope): PodNetwork {
  const { clock, random, environment, executable } = system;
  const settings = podNetworkSettings(config);
  // Set by kubelet in every container.
  const inPod = Boolean(environment["KUBERNETES_SERVICE_HOST"]);
  return new PodNetwork({ settings, executable, inPod, health, log, metrics, clock, random }, scope);
}
