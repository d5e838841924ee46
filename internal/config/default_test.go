package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestDefaultIsValid(t *testing.T) {
	t.Parallel()
	cfg := Default()
	require.NoError(t, cfg.Validate())
	require.Equal(t, []string{"127.0.0.1:9092"}, cfg.Kafka.Brokers)
	require.Equal(t, "dead-letters", cfg.Kafka.Topics.DeadLetters)
	require.Equal(t, 500*time.Millisecond, cfg.Pipeline.FlushInterval)
	require.Equal(t, 500*Kilobyte, cfg.Collector.MaxBatch)
	require.Empty(t, cfg.Collector.WriteKeys)
	require.True(t, cfg.Canary.Enabled)
}

func TestDefaultsAreNotShared(t *testing.T) {
	t.Parallel()
	changed := Default()
	changed.Kafka.Brokers[0] = "elsewhere:9092"
	require.Equal(t, []string{"127.0.0.1:9092"}, Default().Kafka.Brokers)
}

func TestExampleNamesEveryKey(t *testing.T) {
	t.Parallel()
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal(Example(), &document))
	var paths []string
	leaves(document.Content[0], "", &paths)
	require.Equal(t, newSchema(&Config{}).paths, paths, "default.yaml has the keys of Config, in the same order")
}

// leaves appends the paths of the keys below node that hold no section.
func leaves(node *yaml.Node, section string, paths *[]string) {
	for i := 0; i < len(node.Content); i += 2 {
		path := join(section, node.Content[i].Value)
		if child := node.Content[i+1]; child.Kind == yaml.MappingNode {
			leaves(child, path, paths)
		} else {
			*paths = append(*paths, path)
		}
	}
}

func TestEnvironmentNamesAreUnambiguous(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, s := range newSchema(&Config{}).settings {
		require.Empty(t, seen[s.env()], "%s has the variable of %s", s.path, seen[s.env()])
		require.False(t, serviceLink.MatchString(s.env()), "%s looks like a Kubernetes service link", s.env())
		require.NotContains(t, otherEnv, s.env())
		seen[s.env()] = s.path
	}
}
