package deploy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"tidemark/internal/config"
)

// manifest is what these tests read of an object of Kubernetes.
type manifest struct {
	Kind     string
	Metadata struct {
		Name        string
		Annotations map[string]string
	}
	Data map[string]string
	Spec struct {
		Template struct {
			Spec struct {
				Containers []struct {
					Args           []string
					Env            []struct{ Name, Value string }
					LivenessProbe  probe `yaml:"livenessProbe"`
					ReadinessProbe probe `yaml:"readinessProbe"`
				}
				TerminationGracePeriodSeconds int
			}
		}
	}
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// rendering returns the configuration files of the chart with every optional part, by the ConfigMap's name, and what makes its pods. It is
// made and held to Kubernetes's schemas by make test-helm.
func rendering(t *testing.T) (files map[string]string, pods []manifest) {
	t.Helper()
	rendered, err := os.ReadFile("helm/validate/testdata/everything.yaml")
	require.NoError(t, err)
	files = map[string]string{}
	for decoder := yaml.NewDecoder(bytes.NewReader(rendered)); ; {
		var m manifest
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if m.Kind == "ConfigMap" {
			files[m.Metadata.Name] = m.Data["tidemark.yaml"]
		}
		if len(m.Spec.Template.Spec.Containers) > 0 {
			pods = append(pods, m)
		}
	}
	require.Len(t, files, 2)
	require.Len(t, pods, 5)
	return files, pods
}

// TestChartsConfiguration loads what each process of the Helm chart is given, as the process itself does.
func TestChartsConfiguration(t *testing.T) {
	files, pods := rendering(t)
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("hunter2\n"), 0o600))
	seen := map[string]bool{}
	for _, pod := range pods {
		name := "tidemark"
		if pod.Kind == "Job" {
			name = "tidemark-migrate"
		}
		var env []string
		for _, e := range pod.Spec.Template.Spec.Containers[0].Env {
			value := e.Value
			if strings.HasSuffix(e.Name, "_FILE") {
				value = secret
			}
			env = append(env, e.Name+"="+value)
		}
		cfg, err := config.Load(filepath.Join(dir, name), env)
		require.NoError(t, err, pod.Metadata.Name)
		require.Equal(t, []string{"kafka:9092"}, cfg.Kafka.Brokers)
		require.Equal(t, "hunter2", cfg.Kafka.SASL.Password.Reveal())
		command := strings.Join(pod.Spec.Template.Spec.Containers[0].Args, " ")
		seen[command] = true
		login := cfg.ClickHouse.Writer
		switch command {
		case "collect":
			require.Equal(t, "hunter2", cfg.Collector.WriteKeys[0].Reveal())
			require.False(t, login.Password.IsSet(), "the collector needs no ClickHouse")
			continue
		case "migrate":
			login = cfg.ClickHouse.Migrator
		default:
			require.False(t, cfg.ClickHouse.Migrator.Password.IsSet(), "%s must not change tables", command)
		}
		require.Equal(t, "hunter2", login.Password.Reveal(), command)
	}
	require.Equal(t, map[string]bool{"run": true, "collect": true, "migrate": true, "triggers run": true, "normalise": true}, seen)
}
