{{- define "selvedge.labels" -}}
{{ include "selvedge.labels.of" (dict "name" .Values.operator.name "root" .) }}
{{- end }}

{{- define "selvedge.labels.of" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ include "selvedge.version" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Neither labels nor tags of images know the "+" of semantic versions. */}}
{{- define "selvedge.version" -}}
{{ .Chart.AppVersion | replace "+" "_" }}
{{- end }}

{{- define "selvedge.selector" -}}
{{ include "selvedge.selector.of" (dict "name" .Values.operator.name "root" .) }}
{{- end }}

{{- define "selvedge.selector.of" -}}
app: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- /* Of what works on the node's network: root without root's powers, but for these. */}}
{{- define "selvedge.netadmin" -}}
runAsUser: 0
runAsGroup: 0
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL], add: [{{ join ", " . }}] }
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- /* A plan of a large cluster, or a node without a processor to spare, takes longer than a probe's second. */}}
{{- define "selvedge.probes" -}}
livenessProbe:
  httpGet: {{ toJson (merge (dict "path" "/livez") .) }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {{ toJson (merge (dict "path" "/readyz") .) }}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{- /* Where the operator, and what tries it out, may run: not on edge nodes, which have all of these labels. It must be
there when they are cut off. */}}
{{- define "selvedge.placement" -}}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      {{- range .Values.cluster.edgeLabels }}
      - matchExpressions:
          - key: {{ splitList "=" . | first }}
            operator: NotIn
            values: [{{ splitList "=" . | rest | join "=" | quote }}]
      {{- end }}
{{- end }}

{{- /* Windows nodes have no network of this kind. */}}
{{- define "selvedge.nodeselector" -}}
{{- toYaml (merge (dict "kubernetes.io/os" "linux") .) }}
{{- end }}

{{- /* The account's token where a pod's other container, which talks to the world, does not see it. */}}
{{- define "selvedge.token" -}}
name: token
projected:
  sources:
    - serviceAccountToken: { path: token }
    - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}

{{- define "selvedge.image" -}}
{{ .image.repository }}:{{ .image.tag | default (include "selvedge.version" .root) }}
{{- end }}

{{- define "selvedge.rolename" -}}
{{ .Values.operator.name }}-{{ .Release.Namespace }}
{{- end }}

{{- /* FabEdge's is klog's -v. */}}
{{- define "selvedge.loglevel" -}}
{{- $level := toString . }}
{{- if regexMatch "^[0-9]+$" $level }}{{ ternary "debug" "info" (ge (atoi $level) 5) }}{{ else }}{{ $level }}{{ end }}
{{- end }}

{{- /* What the schema cannot say. */}}
{{- define "selvedge.check" -}}
{{- range $key := list "operator" "agent" "strongswan" }}
{{- $repository := (index $.Values $key).image.repository }}
{{- if hasPrefix "fabedge/" $repository }}
{{- fail (printf "Cannot install as %s.image.repository is FabEdge's own: current value is %s. Leave it out, or name an image of selvedge" $key $repository) }}
{{- end }}
{{- end }}
{{- $o := .Values.operator }}
{{- if not (contains (printf "O=%s," $o.certOrgName) $o.endpointIDFormat) }}
{{- fail (printf "Cannot install as operator.endpointIDFormat has another organization than operator.certOrgName: current values are %s and %s" $o.endpointIDFormat $o.certOrgName) }}
{{- end }}
{{- end }}

{{- /* Values of FabEdge's chart that are set and that nothing here reads. */}}
{{- define "selvedge.unread" -}}
{{- $unread := list }}
{{- range $key := list "keepalived" "fabDNS" "serviceHub" "cert" }}
{{- if hasKey $.Values $key }}{{ $unread = append $unread $key }}{{ end }}
{{- end }}
{{- $cluster := list "connectorNodeAddresses" "operatorAPIServer" "serviceHubAPIServer" "initToken" }}
{{- $operator := list "certValidityPeriod" "tokenValidPeriod" }}
{{- $connector := list "image" "replicas" "strategy" "syncPeriod" }}
{{- $groups := dict "cluster" $cluster "operator" $operator "connector" $connector "agent" (list "resources") "cloudAgent" (list "image") }}
{{- range $group, $keys := $groups }}
{{- range $keys }}
{{- if hasKey (index $.Values $group) . }}{{ $unread = append $unread (printf "%s.%s" $group .) }}{{ end }}
{{- end }}
{{- end }}
{{- join ", " $unread }}
{{- end }}
