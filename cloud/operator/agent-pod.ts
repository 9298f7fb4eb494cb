interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly readOnly?: true;
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly args?: readonly string[];
  readonly securityContext: { readonly privileged: true };
  readonly volumeMounts: readonly Mount[];
}

export interface AgentPodSpec {
  readonly nodeName: string;
  readonly hostNetwork: true;
  readonly restartPolicy: "Always";
  readonly automountServiceAccountToken: false;
  readonly tolerations: readonly [{ readonly operator: "Exists" }];
  readonly containers: readonly Container[];
  readonly volumes: readonly Readonly<Record<string, unknown>>[];
}
