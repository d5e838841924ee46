{{- define "tidemark.name" -}}
{{- if contains "tidemark" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-tidemark" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "tidemark.selector" -}}
app.kubernetes.io/name: tidemark
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "tidemark.labels" -}}
{{ include "tidemark.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- /* What every pod has: no root, nothing to write to, no token, no variables of services. */}}
{{- define "tidemark.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: config
    configMap: {name: {{ include "tidemark.name" .root }}{{ .suffix }}}
  - name: secrets
    secret:
      secretName: {{ .root.Values.secret }}
      items:
        {{- range .secrets }}
        - {key: {{ . }}, path: {{ . }}}
        {{- end }}
        {{- if .root.Values.config.kafka.sasl }}
        - {key: kafka-password, path: kafka-password}
        {{- end }}
  {{- with .root.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "tidemark.container" -}}
name: {{ .component }}
image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: config, mountPath: /etc/tidemark/config, readOnly: true}
  - {name: secrets, mountPath: /etc/tidemark/secrets, readOnly: true}
  {{- with .root.Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Secrets are files, so that they stand in no environment. */}}
{{- define "tidemark.env" -}}
- {name: TIDEMARK_CONFIG, value: /etc/tidemark/config/tidemark.yaml}
- {name: TIDEMARK_ADMIN_LISTEN, value: "0.0.0.0:9090"}
{{- if .root.Values.config.kafka.sasl }}
- {name: TIDEMARK_KAFKA_SASL_PASSWORD_FILE, value: /etc/tidemark/secrets/kafka-password}
{{- end }}
{{- if has "migrator-password" .secrets }}
- {name: TIDEMARK_CLICKHOUSE_MIGRATOR_PASSWORD_FILE, value: /etc/tidemark/secrets/migrator-password}
{{- end }}
{{- if has "writer-password" .secrets }}
- {name: TIDEMARK_CLICKHOUSE_WRITER_PASSWORD_FILE, value: /etc/tidemark/secrets/writer-password}
{{- end }}
{{- if has "reader-password" .secrets }}
- {name: TIDEMARK_CLICKHOUSE_READER_PASSWORD_FILE, value: /etc/tidemark/secrets/reader-password}
{{- end }}
{{- if has "write-keys" .secrets }}
- {name: TIDEMARK_COLLECTOR_WRITE_KEYS_FILE, value: /etc/tidemark/secrets/write-keys}
{{- end }}
{{- end }}

{{- /* A process is ready once it has recovered, which may take as long as its windows take to load. It is alive as long as it answers. */}}
{{- define "tidemark.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}

{{- define "tidemark.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "tidemark.selector" . | nindent 8 }}
{{- end }}
