{{- define "spor.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "spor.labels" -}}
app.kubernetes.io/name: spor
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Labels that choose the pods of a component: dict "root" $ "component" "ingest". */}}
{{- define "spor.selector" -}}
app.kubernetes.io/name: spor
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "spor.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{ .Values.image.repository }}{{ if hasPrefix "sha256:" $tag }}@{{ else }}:{{ end }}{{ $tag }}
{{- end }}

{{/* Addresses of the stream servers. */}}
{{- define "spor.natsUrl" -}}
{{- if .Values.nats.enabled -}}
{{- $scheme := ternary "tls" "nats" (ne .Values.secrets.streamAuthority "") -}}
{{- $name := include "spor.name" . -}}
{{- $servers := list -}}
{{- range $index := until 3 -}}
{{- $servers = append $servers (printf "%s://%s-nats-%d.%s-nats:4222" $scheme $name $index $name) -}}
{{- end -}}
{{ join "," $servers }}
{{- else -}}
{{ required "nats.url: the addresses of the stream servers, because nats.enabled is false" .Values.nats.url }}
{{- end -}}
{{- end }}

{{/* No pod needs a right of its node, or writes into its image. */}}
{{- define "spor.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "spor.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* Pods of a component on different nodes if possible, and in different zones. */}}
{{- define "spor.spread" -}}
affinity:
  podAntiAffinity:
    {{- if .strict }}
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector: { matchLabels: { {{ include "spor.selector" . | replace "\n" ", " }} } }
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector: { matchLabels: { {{ include "spor.selector" . | replace "\n" ", " }} } }
    {{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: { matchLabels: { {{ include "spor.selector" . | replace "\n" ", " }} } }
{{- end }}
