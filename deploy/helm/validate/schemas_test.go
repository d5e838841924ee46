package validate

import (
	"archive/zip"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yannh/kubeconform/pkg/validator"
	"sigs.k8s.io/yaml"
)

// kubernetes is the version whose schemas are used: those of the Python package kubernetes-validate, whose wheel make test-helm fetches.
const kubernetes = "v1.37.0"

// definitions are the modules, of these versions, that have the schemas of objects which Kubernetes itself does not know.
var definitions = map[string][]string{
	"github.com/kedacore/keda/v2@v2.20.2": {"config/crd/bases/keda.sh_scaledobjects.yaml"},
	"github.com/prometheus-operator/prometheus-operator@v0.85.0": {
		"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml", "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
	},
}

func newValidator(t *testing.T) validator.Validator {
	t.Helper()
	dir := t.TempDir()
	ofKubernetes(t, dir)
	for module, files := range definitions {
		source := download(t, module)
		for _, file := range files {
			ofDefinition(t, filepath.Join(source, file), dir)
		}
	}
	v, err := validator.New([]string{dir + "/{{.ResourceKind}}{{.KindSuffix}}.json"}, validator.Opts{KubernetesVersion: strings.TrimPrefix(kubernetes, "v"), Strict: true})
	require.NoError(t, err)
	return v
}

// ofKubernetes unpacks the schemas of the kinds that the chart uses. They refer to one file of definitions by the path of a server.
func ofKubernetes(t *testing.T, dir string) {
	t.Helper()
	wheels, err := filepath.Glob("../../../.cache/helm/kubernetes_validate-*.whl")
	require.NoError(t, err)
	require.Len(t, wheels, 1, "run make test-helm")
	wheel, err := zip.OpenReader(wheels[0])
	require.NoError(t, err)
	defer wheel.Close() //nolint:errcheck // only read
	for _, name := range []string{
		"_definitions", "configmap-v1", "service-v1", "statefulset-apps-v1", "deployment-apps-v1", "job-batch-v1", "poddisruptionbudget-policy-v1", "networkpolicy-networking-v1",
	} {
		file, err := wheel.Open("kubernetes_validate/kubernetes-json-schema/" + kubernetes + "-local-strict/" + name + ".json")
		require.NoError(t, err)
		text, err := io.ReadAll(file)
		require.NoError(t, err)
		var schema map[string]any
		require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(string(text), `"/api/_definitions.json`, `"_definitions.json`)), &schema))
		delete(schema, "$id")
		write(t, dir, name, schema)
	}
}

// ofDefinition writes the schema of a custom resource, which refuses keys that it does not know.
func ofDefinition(t *testing.T, path, dir string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var d struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema map[string]any }
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &d))
	group, _, _ := strings.Cut(d.Spec.Group, ".")
	for _, v := range d.Spec.Versions {
		schema := v.Schema.OpenAPIV3Schema
		strict(schema)
		schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		schema["properties"].(map[string]any)["metadata"] = map[string]any{"type": "object"}
		write(t, dir, strings.ToLower(d.Spec.Names.Kind)+"-"+group+"-"+v.Name, schema)
	}
}

// strict closes every object that lists its keys, as an API server prunes what is not among them.
func strict(v any) {
	switch v := v.(type) {
	case map[string]any:
		_, lists := v["properties"].(map[string]any)
		_, open := v["additionalProperties"]
		if lists && !open && v["x-kubernetes-preserve-unknown-fields"] != true && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, child := range v {
			strict(child)
		}
	case []any:
		for _, child := range v {
			strict(child)
		}
	}
}

func write(t *testing.T, dir, name string, schema any) {
	t.Helper()
	text, err := json.Marshal(schema)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".json"), text, 0o600))
}

// download returns where the module's files are.
func download(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module).Output()
	require.NoError(t, err, "%s", out)
	var m struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &m))
	return m.Dir
}
