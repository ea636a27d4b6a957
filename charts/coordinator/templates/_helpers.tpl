{{- define "coordinator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "coordinator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains .Chart.Name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "coordinator.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "coordinator.selector" -}}
app.kubernetes.io/name: {{ include "coordinator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "coordinator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "coordinator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: isthmus
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "coordinator.serviceAccount" -}}
{{- default (include "coordinator.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "coordinator.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* What no schema can say. */}}
{{- define "coordinator.check" -}}
{{- $nats := .Values.nats }}
{{- if eq $nats.mode "external" }}
{{- if not $nats.urls }}
{{- fail "nats.mode=external needs nats.urls, such as tls://nats.example.com:4222" }}
{{- end }}
{{- if not (eq (empty $nats.account) (empty $nats.signingSeed.existingSecret.name)) }}
{{- fail "nats.account and nats.signingSeed.existingSecret.name go together: give both or none" }}
{{- end }}
{{- else if or $nats.urls $nats.account $nats.ca.existingSecret.name }}
{{- fail "nats.urls, nats.ca and nats.account are for nats.mode=external" }}
{{- end }}
{{- end }}

{{/* What the users named, and the Services' own names, for clients in this cluster. */}}
{{- define "coordinator.advertise" -}}
{{- $names := .Values.advertise }}
{{- if not $names }}
{{- $names = list (required "advertise is needed: the names or addresses by which agents and kubectl reach the coordinator" "") }}
{{- end }}
{{- $fullname := include "coordinator.fullname" . }}
{{- $namespace := .Release.Namespace }}
{{- range list "api" "agents" }}
{{- $service := printf "%s-%s.%s.svc" $fullname . $namespace }}
{{- $names = concat $names (list $service (printf "%s.cluster.local" $service)) }}
{{- end }}
{{- join "," $names }}
{{- end }}
