/** A verb on a resource that somebody may use, or used. Namespace "": in all of them, or of none. */
export interface Grant {
  readonly namespace: string;
  /** GROUP/RESOURCE, with its subresource; the core group is "". */
  readonly resource: string;
  /** Of one object; undefined: of every one. */
  readonly name: string | undefined;
  readonly verb: string;
}

/** rbac.authorization.k8s.io/v1 PolicyRule, and what a SelfSubjectRulesReview answers. */
export interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

export function expandRules(namespace: string, rules: readonly Rule[]): readonly Grant[] {
  return rules.flatMap(({ apiGroups = [], resources = [], resourceNames = [undefined], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        resourceNames.flatMap((name) =>
          verbs.map((verb) => ({ namespace, resource: `${group}/${resource}`, name, verb })),
        ),
      ),
    ),
  );
}

/** "NAMESPACE GROUP/RESOURCE[:NAME] VERB" */
export function formatGrant({ namespace, resource, name, verb }: Grant): string {
  return `${namespace} ${resource}${name === undefined ? "" : `:${name}`} ${verb}`;
}

export function covers(granted: Grant, used: Grant): boolean {
  return (
    (granted.namespace === "" || granted.namespace === used.namespace) &&
    granted.resource === used.resource &&
    (granted.name === undefined || granted.name === used.name) &&
    granted.verb === used.verb
  );
}

interface AuditEvent {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code: number };
}

/** @param lines of kube-apiserver's audit log */
export function usesOf(lines: readonly string[], user: string): readonly Grant[] {
  const uses = new Map<string, Grant>();
  for (const line of lines) {
    const { user: who, verb, objectRef, responseStatus } = JSON.parse(line) as AuditEvent;
    if (who.username !== user || objectRef === undefined) continue;
    const { apiGroup = "", resource, subresource, namespace = "", name } = objectRef;
    const path = [apiGroup, resource, ...(subresource === undefined ? [] : [subresource])].join("/");
    // Server-side apply asks for both where it creates.
    const verbs = verb === "patch" && responseStatus?.code === 201 ? [verb, "create"] : [verb];
    for (const each of verbs) {
      const use = { namespace, resource: path, name, verb: each };
      uses.set(formatGrant(use), use);
    }
  }
  return [...uses.values()];
}
