// Package validate renders the Helm chart as Helm does, and holds it to Kubernetes's schemas and to what it promises. It is a module
// of its own, so that what it needs is no dependency of Tidemark: make test-helm.
package validate

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yannh/kubeconform/pkg/validator"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const chart = "../tidemark"

var update = flag.Bool("update", false, "write the golden rendering, to be committed")

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Helm tells of each file that is a link
	os.Exit(m.Run())
}

// everything has each optional part of the chart.
const everything = `
image: {tag: v1}
config:
  kafka: {sasl: {mechanism: SCRAM-SHA-512, user: tidemark}}
  normalise: {topics: {desk: {format: json, to: tickets}}}
normaliser: {enabled: true}
pipeline: {autoscaling: {enabled: true}}
metrics: {serviceMonitor: true, rules: true, labels: {release: prometheus}, prometheus: "http://prometheus.monitoring:9090"}
networkPolicy: {collectorFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress}}}]}
imagePullSecrets: [{name: registry}]
nodeSelector: {pool: data}
tolerations: [{key: data, operator: Exists}]
extraVolumes: [{name: targets, secret: {secretName: targets}}]
extraVolumeMounts: [{name: targets, mountPath: /run/secrets, readOnly: true}]
`

// render returns the chart's manifests, joined, as helm template prints them.
func render(values string) (string, error) {
	c, err := loader.Load(chart)
	if err != nil {
		return "", err
	}
	own, err := common.ReadValues([]byte(values))
	if err != nil {
		return "", err
	}
	all, err := util.ToRenderValues(c, own, common.ReleaseOptions{Name: "tidemark", Namespace: "metrics", IsInstall: true}, nil)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return "", err
	}
	var names []string
	for name := range files {
		if strings.HasSuffix(name, ".yaml") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out strings.Builder
	for _, name := range names {
		for document := range strings.SplitSeq("\n"+files[name], "\n---") {
			if strings.TrimSpace(document) != "" {
				fmt.Fprintf(&out, "---\n%s\n", strings.TrimSpace(document))
			}
		}
	}
	return out.String(), nil
}

// object is a manifest.
type object map[string]any

// at walks down the keys; nil where there is nothing.
func (o object) at(keys ...any) any {
	var v any = map[string]any(o)
	for _, key := range keys {
		switch k := key.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			list, _ := v.([]any)
			if k >= len(list) {
				return nil
			}
			v = list[k]
		}
	}
	return v
}

func objects(t *testing.T, manifests string) map[string]object {
	t.Helper()
	all := map[string]object{}
	for document := range strings.SplitSeq(manifests, "---\n") {
		var o object
		require.NoError(t, yaml.UnmarshalStrict([]byte(document), &o), "%s", document)
		if o != nil {
			name := fmt.Sprintf("%s %s", o.at("kind"), o.at("metadata", "name"))
			require.NotContains(t, all, name)
			all[name] = o
		}
	}
	return all
}

// TestConforms has kubeconform judge each rendering, strictly: no unknown key, no missing one, no wrong type.
func TestConforms(t *testing.T) {
	v := newValidator(t)
	for name, values := range map[string]string{
		"defaults": "{}", "everything": everything,
		"nothing optional": "{migrate: {enabled: false}, collector: {enabled: false}, triggers: {enabled: false}, networkPolicy: {enabled: false}}",
	} {
		manifests, err := render(values)
		require.NoError(t, err, name)
		conforms(t, v, manifests)
	}
}

func conforms(t *testing.T, v validator.Validator, manifests string) {
	t.Helper()
	for _, r := range v.Validate("chart", io.NopCloser(strings.NewReader(manifests))) {
		require.NoError(t, r.Err, "%s", r.Resource.Bytes)
		require.Contains(t, []validator.Status{validator.Valid, validator.Empty}, r.Status, "%s", r.Resource.Bytes)
	}
}

// TestMistakesDoNotConform shows that the validator sees mistakes of every kind of object that the chart makes.
func TestMistakesDoNotConform(t *testing.T) {
	v := newValidator(t)
	manifests, err := render(everything)
	require.NoError(t, err)
	for right, wrong := range map[string]string{
		"podManagementPolicy: Parallel": "podManagmentPolicy: Parallel", "backoffLimit: 5": `backoffLimit: "5"`, "maxUnavailable: 1": "maxUnavailabel: 1",
		"policyTypes: [Ingress, Egress]": "policyTypes: Egress", "fsGroup: 65532": "fsGroup: many", "pollingInterval: 30": "pollInterval: 30",
		"port: admin\n      interval": "port: admin\n      every", "alert: TidemarkPipelineGone": "alerts: TidemarkPipelineGone",
	} {
		require.Contains(t, manifests, right)
		found := false
		for _, r := range v.Validate("chart", io.NopCloser(strings.NewReader(strings.ReplaceAll(manifests, right, wrong)))) {
			found = found || r.Status == validator.Invalid
		}
		require.True(t, found, "%q instead of %q is not found", wrong, right)
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"{pipelines: {}}":                                                   "additional properties 'pipelines' not allowed",
		"{pipeline: {replicas: 9}}":                                         "more pipelines than config.kafka.partitions would have nothing to do",
		"{pipeline: {replicas: two}}":                                       "got string, want integer",
		"{pipeline: {gracePeriodSeconds: 5}}":                               "minimum: got 5, want 30",
		"{pipeline: {autoscaling: {enabled: true}}}":                        "metrics.prometheus: the URL that KEDA asks",
		"{pipeline: {autoscaling: {scaleDownStabilizationSeconds: 18000}}}": "maximum: got 18,000, want 3,600",
		"{config: {kafka: {instance_id: me}}}":                              "false schema",
	} {
		_, err := render(values)
		require.ErrorContains(t, err, want, values)
	}
}

// TestGolden keeps the rendering that deploy's tests read, which know Tidemark's own configuration.
func TestGolden(t *testing.T) {
	manifests, err := render(everything)
	require.NoError(t, err)
	const file = "testdata/everything.yaml"
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(manifests), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), manifests, "make test-helm ARGS=-update")
}
