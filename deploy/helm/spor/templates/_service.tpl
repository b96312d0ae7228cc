{{/*
A service of ours: Deployment, PodDisruptionBudget, and a HorizontalPodAutoscaler where asked.

dict "root" $ "component" "ingest" "program" "ingest/main.ts" "port" 4001 "values" .Values.ingest "identity" <secret>
"env" <settings of the component> "lake" <whether it reads and writes the lake> "metricsToken" <whether its port is public>
*/}}
{{- define "spor.service" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $name := printf "%s-%s" (include "spor.name" $root) .component -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- include "spor.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  {{- if not .values.autoscaling.enabled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "spor.selector" . | nindent 6 }}
  strategy:
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  template:
    metadata:
      labels:
        {{- include "spor.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
    spec:
      serviceAccountName: {{ include "spor.name" $root }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with $values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "spor.podSecurity" $root | nindent 8 }}
      # SHUTDOWN_SECONDS, the time to drain, and some.
      terminationGracePeriodSeconds: 60
      {{- include "spor.spread" (dict "root" $root "component" .component "strict" false) | nindent 6 }}
      {{- with .values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "spor.image" $root }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          command: [node, {{ .program }}]
          securityContext:
            {{- include "spor.containerSecurity" $root | nindent 12 }}
          env:
            - { name: NATS_URL, value: {{ include "spor.natsUrl" $root | quote }} }
            - { name: NATS_NKEY_FILE, value: /run/spor/identity/nkey }
            {{- if $values.secrets.streamAuthority }}
            - { name: NATS_CA_FILE, value: /run/spor/authority/ca.crt }
            {{- end }}
            - { name: SPOR_SHARDS, value: {{ $values.shards | quote }} }
            - { name: NATS_REPLICAS, value: '3' }
            - { name: STREAM_MAX_BYTES, value: {{ $values.streamMaxBytes | quote }} }
            {{- if .lake }}
            - { name: LAKE_URL, value: {{ required "store.url: where the lake is, as s3://bucket/prefix" $values.store.url | quote }} }
            - { name: S3_ENDPOINT, value: {{ $values.store.endpoint | quote }} }
            - { name: S3_REGION, value: {{ $values.store.region | quote }} }
            - { name: S3_FORCE_PATH_STYLE, value: {{ $values.store.forcePathStyle | quote }} }
            - { name: WORK_DIR, value: /var/spor/work }
            {{- if $values.secrets.store }}
            - { name: AWS_ACCESS_KEY_ID_FILE, value: /run/spor/store/access-key-id }
            - { name: AWS_SECRET_ACCESS_KEY_FILE, value: /run/spor/store/secret-access-key }
            {{- end }}
            {{- end }}
            {{- if and .metricsToken $values.secrets.metrics }}
            - { name: METRICS_TOKEN_FILE, value: /run/spor/metrics/token }
            {{- end }}
            {{- range $variable, $value := merge (dict) .values.env $values.settings .env }}
            - { name: {{ $variable }}, value: {{ $value | toString | quote }} }
            {{- end }}
          ports:
            - { name: http, containerPort: {{ .port }} }
          # A start waits for the stream servers as long as it takes, so only a dead process is restarted.
          livenessProbe:
            httpGet: { path: /healthz, port: http }
            initialDelaySeconds: 10
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: { path: /readyz, port: http }
            periodSeconds: 3
            timeoutSeconds: 2
            failureThreshold: 2
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            - { name: identity, mountPath: /run/spor/identity, readOnly: true }
            - { name: tmp, mountPath: /tmp }
            {{- if $values.secrets.streamAuthority }}
            - { name: authority, mountPath: /run/spor/authority, readOnly: true }
            {{- end }}
            {{- if .lake }}
            - { name: work, mountPath: /var/spor/work }
            {{- if $values.secrets.store }}
            - { name: store, mountPath: /run/spor/store, readOnly: true }
            {{- end }}
            {{- end }}
            {{- if and .metricsToken $values.secrets.metrics }}
            - { name: metrics, mountPath: /run/spor/metrics, readOnly: true }
            {{- end }}
      volumes:
        - { name: identity, secret: { secretName: {{ .identity }}, defaultMode: 0440 } }
        - { name: tmp, emptyDir: { sizeLimit: 2Gi } }
        {{- if $values.secrets.streamAuthority }}
        - { name: authority, secret: { secretName: {{ $values.secrets.streamAuthority }} } }
        {{- end }}
        {{- if .lake }}
        - { name: work, emptyDir: { sizeLimit: {{ .values.workSize }} } }
        {{- if $values.secrets.store }}
        - { name: store, secret: { secretName: {{ $values.secrets.store }}, defaultMode: 0440 } }
        {{- end }}
        {{- end }}
        {{- if and .metricsToken $values.secrets.metrics }}
        - { name: metrics, secret: { secretName: {{ $values.secrets.metrics }}, defaultMode: 0440 } }
        {{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels:
    {{- include "spor.labels" $root | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "spor.selector" . | nindent 6 }}
{{- with .values.autoscaling }}
{{- if .enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels:
    {{- include "spor.labels" $root | nindent 4 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ $name }} }
  minReplicas: {{ .min }}
  maxReplicas: {{ .max }}
  metrics:
    {{- if .metric }}
    - type: External
      external:
        metric: { name: {{ .metric }} }
        target: { type: Value, value: {{ .seconds | quote }} }
    {{- else }}
    - type: Resource
      resource: { name: cpu, target: { type: Utilization, averageUtilization: {{ .cpuPercent }} } }
    {{- end }}
  behavior:
    # Each change moves shards or connections.
    scaleDown: { stabilizationWindowSeconds: 600, policies: [{ type: Pods, value: 1, periodSeconds: 120 }] }
{{- end }}
{{- end }}
{{- end }}
