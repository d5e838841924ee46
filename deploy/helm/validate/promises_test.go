package validate

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// workloads are the chart's pods by the name of their process.
func workloads(t *testing.T, values string) map[string]object {
	t.Helper()
	manifests, err := render(values)
	require.NoError(t, err)
	pods := map[string]object{}
	for _, o := range objects(t, manifests) {
		if pod, ok := o.at("spec", "template").(map[string]any); ok {
			pods[fmt.Sprint(object(pod).at("metadata", "labels", "app.kubernetes.io/component"))] = pod
		}
	}
	return pods
}

// TestPods holds every pod to the restricted Pod Security Standard, and to the secrets that it needs.
func TestPods(t *testing.T) {
	for values, n := range map[string]int{"{}": 4, everything: 5} {
		pods := workloads(t, values)
		require.Len(t, pods, n)
		secrets := map[string]string{
			"migrate": "migrator-password writer-password", "pipeline": "writer-password reader-password", "collector": "write-keys", "triggers": "writer-password",
			"normaliser": "writer-password",
		}
		for name, pod := range pods {
			require.Equal(t, false, pod.at("spec", "automountServiceAccountToken"), name)
			require.Equal(t, false, pod.at("spec", "enableServiceLinks"), "%s: Tidemark refuses variables that it doesn't know", name)
			require.Equal(t, true, pod.at("spec", "securityContext", "runAsNonRoot"), name)
			require.Equal(t, "RuntimeDefault", pod.at("spec", "securityContext", "seccompProfile", "type"), name)
			container := object(pod.at("spec", "containers", 0).(map[string]any))
			require.Equal(t, map[string]any{
				"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}},
			}, container.at("securityContext"), name)
			require.NotNil(t, container.at("resources", "requests", "memory"), name)
			require.NotNil(t, container.at("resources", "limits", "memory"), name)
			var keys []string
			for _, item := range pod.at("spec", "volumes", 1, "secret", "items").([]any) {
				keys = append(keys, item.(map[string]any)["key"].(string))
			}
			want := secrets[name]
			if values == everything {
				want += " kafka-password"
			}
			require.Equal(t, want, strings.Join(keys, " "), name)
			if name == "migrate" {
				continue
			}
			require.Equal(t, "/livez", container.at("livenessProbe", "httpGet", "path"), name)
			require.Equal(t, "/readyz", container.at("readinessProbe", "httpGet", "path"), name)
			require.GreaterOrEqual(t, pod.at("spec", "terminationGracePeriodSeconds"), 30.0, name)
		}
	}
}

func TestMembersKeepTheirNames(t *testing.T) {
	container := object(workloads(t, "{}")["pipeline"].at("spec", "containers", 0).(map[string]any))
	var from any
	for _, env := range container.at("env").([]any) {
		if e := object(env.(map[string]any)); e.at("name") == "TIDEMARK_KAFKA_INSTANCE_ID" {
			from = e.at("valueFrom", "fieldRef", "fieldPath")
		}
	}
	require.Equal(t, "metadata.name", from)
	manifests, err := render("{}")
	require.NoError(t, err)
	set := objects(t, manifests)["StatefulSet tidemark-pipeline"]
	require.Equal(t, "tidemark-pipeline", set.at("spec", "serviceName"))
	require.Equal(t, 2.0, set.at("spec", "replicas"))
	manifests, err = render(everything)
	require.NoError(t, err)
	require.Nil(t, objects(t, manifests)["StatefulSet tidemark-pipeline"].at("spec", "replicas"), "the autoscaler has them")
}

func TestMigrateRunsBefore(t *testing.T) {
	manifests, err := render("{}")
	require.NoError(t, err)
	all := objects(t, manifests)
	job := all["Job tidemark-migrate"]
	require.Equal(t, "pre-install,pre-upgrade", job.at("metadata", "annotations", "helm.sh/hook"))
	config := all["ConfigMap tidemark-migrate"]
	require.Equal(t, "pre-install,pre-upgrade", config.at("metadata", "annotations", "helm.sh/hook"))
	require.Equal(t, "-1", config.at("metadata", "annotations", "helm.sh/hook-weight"), "it is there before the job")
	require.Equal(t, "tidemark-migrate", job.at("spec", "template", "spec", "volumes", 0, "configMap", "name"))
	require.Equal(t, all["ConfigMap tidemark"].at("data"), config.at("data"))
}

// TestRulesAreThoseThatAreTested compares the PrometheusRule with the files that promtool tests.
func TestRulesAreThoseThatAreTested(t *testing.T) {
	manifests, err := render(everything)
	require.NoError(t, err)
	all := objects(t, manifests)
	var want []any
	for _, file := range []string{"rules.yml", "alerts.yml"} {
		text, err := os.ReadFile("../../prometheus/" + file)
		require.NoError(t, err)
		var rules map[string]any
		require.NoError(t, yaml.Unmarshal(text, &rules))
		want = append(want, rules["groups"].([]any)...)
	}
	require.Equal(t, want, all["PrometheusRule tidemark"].at("spec", "groups"))
	require.Equal(t, "prometheus", all["PrometheusRule tidemark"].at("metadata", "labels", "release"))
	require.Equal(t, map[string]any{"targetLabel": "job", "replacement": "tidemark"},
		all["ServiceMonitor tidemark"].at("spec", "endpoints", 0, "relabelings", 0), "alerts ask for this job")
	scaled := all["ScaledObject tidemark-pipeline"]
	require.Equal(t, 3600.0, scaled.at("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown", "stabilizationWindowSeconds"))
	require.Contains(t, scaled.at("spec", "triggers", 0, "metadata", "query"), "tidemark_source_lag_seconds")
}

func TestNetworkPolicies(t *testing.T) {
	manifests, err := render("{}")
	require.NoError(t, err)
	all := objects(t, manifests)
	ports := func(process, direction string) string {
		var found []string
		rules, _ := all["NetworkPolicy tidemark-"+process].at("spec", direction).([]any)
		for _, rule := range rules {
			for _, p := range rule.(map[string]any)["ports"].([]any) {
				found = append(found, fmt.Sprint(p.(map[string]any)["port"]))
			}
		}
		return strings.Join(found, " ")
	}
	require.Equal(t, "", ports("migrate", "ingress"))
	require.Equal(t, "9090", ports("pipeline", "ingress"))
	require.Equal(t, "9090 8080", ports("collector", "ingress"))
	require.Equal(t, "53 53 9092", ports("collector", "egress"), "it does not reach ClickHouse")
	require.Equal(t, "53 53 9092 9000", ports("pipeline", "egress"), "it reaches nothing else")
	require.Equal(t, "53 53 9092 9000 443", ports("triggers", "egress"))
	manifests, err = render(everything)
	require.NoError(t, err)
	all = objects(t, manifests)
	require.Equal(t, "53 53 9092 9000 443 8081", ports("normaliser", "egress"), "it reaches the schema registry")
	_, err = render("normaliser: {enabled: true}")
	require.ErrorContains(t, err, "declare the raw topics in config.normalise.topics")
}
