{{- define "agent.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "agent.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains .Chart.Name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "agent.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Of objects without a namespace: two releases of one name must not share them. */}}
{{- define "agent.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "agent.fullname" .) }}
{{- end }}

{{- define "agent.selector" -}}
app.kubernetes.io/name: {{ include "agent.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "agent.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "agent.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: isthmus
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "agent.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "agent.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed with serviceAccount.create=false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "agent.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "agent.joinSecret" -}}
{{- if .Values.join.existingSecret.name }}
{{- .Values.join.existingSecret.name }}
{{- else }}
{{- printf "%s-join" (include "agent.fullname" .) }}
{{- end }}
{{- end }}

{{/* What no schema can say. */}}
{{- define "agent.check" -}}
{{- $values := .Values }}
{{- if and $values.join.token $values.join.existingSecret.name }}
{{- fail "join.token and join.existingSecret.name exclude each other: give one of them" }}
{{- end }}
{{- if and $values.proxy.https $values.proxy.existingSecret.name }}
{{- fail "proxy.https and proxy.existingSecret.name exclude each other: give one of them" }}
{{- end }}
{{- if eq $values.rbac.scope "namespaces" }}
{{- if not $values.guard.allowedNamespaces }}
{{- fail "rbac.scope=namespaces needs guard.allowedNamespaces: the namespaces that get a Role" }}
{{- end }}
{{- range $values.guard.allowedNamespaces }}
{{- if contains "*" . }}
{{- fail (printf "rbac.scope=namespaces needs namespaces by name: guard.allowedNamespaces has the pattern %q" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $values.guard.allowedNamespaces }}
{{- if hasPrefix "kube-" . }}
{{- fail (printf "guard.allowedNamespaces: %s belongs to Kubernetes itself and never gets shards" .) }}
{{- end }}
{{- end }}
{{- if and (not $values.rbac.readNodes) (not (and $values.cluster.zone $values.cluster.region)) }}
{{- fail "rbac.readNodes=false needs cluster.zone and cluster.region: nothing else tells them" }}
{{- end }}
{{- end }}
