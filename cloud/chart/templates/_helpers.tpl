{{- define "selvedge.labels" -}}
app.kubernetes.io/name: {{ .Values.operator.name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ include "selvedge.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Neither labels nor tags of images know the "+" of semantic versions. */}}
{{- define "selvedge.version" -}}
{{ .Chart.AppVersion | replace "+" "_" }}
{{- end }}

{{- define "selvedge.selector" -}}
app: {{ .Values.operator.name }}
app.kubernetes.io/instance: {{ .Release.Name }}
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
{{- range $key := list "operator" "agent" }}
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
{{- range $key := list "connector" "keepalived" "cloudAgent" "fabDNS" "serviceHub" "cert" }}
{{- if hasKey $.Values $key }}{{ $unread = append $unread $key }}{{ end }}
{{- end }}
{{- $cluster := list "region" "zone" "connectorNodeAddresses" "connectorLabels" "operatorAPIServer" "serviceHubAPIServer" "initToken" }}
{{- $operator := list "certValidityPeriod" "tokenValidPeriod" }}
{{- range $group, $keys := dict "cluster" $cluster "operator" $operator "agent" (list "resources") }}
{{- range $keys }}
{{- if hasKey (index $.Values $group) . }}{{ $unread = append $unread (printf "%s.%s" $group .) }}{{ end }}
{{- end }}
{{- end }}
{{- join ", " $unread }}
{{- end }}
