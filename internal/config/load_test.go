package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// write puts text into a file of the test's own and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// problemsOf loads yaml and env and returns the lines of the error, with the file's directory cut off.
func problemsOf(t *testing.T, yaml string, env ...string) []string {
	t.Helper()
	path := write(t, "tidemark.yaml", yaml)
	_, err := Load(path, env)
	require.Error(t, err)
	return strings.Split(strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", ""), "\n")
}

func TestLoadWithoutFileGivesDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := Load("", []string{"HOME=/root", "TIDEMARK_CONFIG=x", "TIDEMARK_DATA_DIR=y", "TIDEMARK_ENGINE_DIR=z"})
	require.NoError(t, err)
	require.Equal(t, Default(), cfg)
}

func TestLoadExampleGivesDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := Load(write(t, "tidemark.yaml", string(Example())), nil)
	require.NoError(t, err)
	require.Equal(t, Default(), cfg)
}

func TestLoadLayers(t *testing.T) {
	t.Parallel()
	path := write(t, "tidemark.yaml", `
kafka:
  brokers: [k1:9092, "k2:9092"]
  group: no
  tls: # All of it commented out.
pipeline: {flush_interval: 2s, flush_rows: 10}
collector:
  max_event: 1MB
  max_batch: 2097152
canary: {enabled: false}
`)
	cfg, err := Load(path, []string{
		"TIDEMARK_KAFKA_BROKERS=a:1, b:2,",
		"TIDEMARK_PIPELINE_FLUSH_ROWS=20",
		"TIDEMARK_PIPELINE_RETENTION_MINUTE=24h",
		"TIDEMARK_LOG_LEVEL=",
	})
	require.NoError(t, err)

	want := Default()
	want.Kafka.Brokers = []string{"a:1", "b:2"}
	want.Kafka.Group = "no"
	want.Pipeline.FlushInterval = 2 * time.Second
	want.Pipeline.FlushRows = 20
	want.Pipeline.Retention.Minute = 24 * time.Hour
	want.Collector.MaxEvent = Megabyte
	want.Collector.MaxBatch = 2 * Megabyte
	want.Canary.Enabled = false
	require.Equal(t, want, cfg)
}

func TestLoadReportsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		`tidemark.yaml:2: unknown key kafka.broker; did you mean kafka.brokers?`,
		`tidemark.yaml:3: kafka.partitions: "eight" is not a whole number`,
		`tidemark.yaml:4: kafka.tls is a section: write its keys below it, indented, not a single value`,
		`tidemark.yaml:6: pipeline.flush_interval: "5" is not a duration such as 500ms, 30s or 336h`,
		`environment: unknown variable TIDEMARK_KAFKA_GRUOP; did you mean TIDEMARK_KAFKA_GROUP?`,
		`TIDEMARK_COLLECTOR_MAX_EVENT: collector.max_event: "32 apples" is not a size such as 32KB, 1MB or 4096`,
		`log.level: "loud" is unknown; choose one of debug, info, warn, error`,
	}, problemsOf(t, `kafka:
  broker: k1:9092
  partitions: eight
  tls: true
pipeline:
  flush_interval: 5
log: {level: loud}
`, "TIDEMARK_KAFKA_GRUOP=x", "TIDEMARK_COLLECTOR_MAX_EVENT=32 apples"))
}

func TestLoadYAMLProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ yaml, want string }{
		"key of another section": {"brokers: [a:1]", `tidemark.yaml:1: unknown key brokers; did you mean kafka.brokers?`},
		"mistyped section":       {"kafak: {}", `tidemark.yaml:1: unknown key kafak; did you mean kafka?`},
		"nothing alike": {
			"log:\n  zzzzzz: 1",
			`tidemark.yaml:2: unknown key log.zzzzzz; the keys here are level, format`,
		},
		"merge key":         {"log: {<<: {}}", `tidemark.yaml:1: unknown key log.<<; the keys here are level, format`},
		"twice":             {"log: {}\nadmin: {}\nlog: {}", `tidemark.yaml:3: log is given twice, first on line 1`},
		"scalar for a list": {"kafka:\n  brokers: a:1", `tidemark.yaml:2: kafka.brokers: want a list such as [a, b], not a single value`},
		"list for a scalar": {"kafka:\n  group: [a]", `tidemark.yaml:2: kafka.group: want one value, not a list`},
		"section in a list": {"kafka:\n  brokers: [{a: 1}]", `tidemark.yaml:2: kafka.brokers: want one value, not a section`},
		"no value":          {"kafka:\n  group:", `tidemark.yaml:2: kafka.group: want one value, not nothing`},
		"yes is no bool":    {"canary:\n  enabled: yes", `tidemark.yaml:2: canary.enabled: "yes" is neither true nor false`},
		"fraction":          {"kafka: {partitions: 1.5}", `tidemark.yaml:1: kafka.partitions: "1.5" is not a whole number`},
		"no section":        {"- a", `tidemark.yaml:1: the configuration is a section: write its keys below it, indented, not a list`},
		"secret of a kind":  {"kafka: {sasl: {password: [hunter2]}}", `tidemark.yaml:1: kafka.sasl.password: want one value, not a list`},
		"syntax":            {"log:\n  level: a: b", `tidemark.yaml:2: mapping values are not allowed in this context`},
		"two documents":     {"log: {}\n---\nlog: {}", `tidemark.yaml:2: a second YAML document begins here; keep one`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, []string{test.want}, problemsOf(t, test.yaml))
		})
	}
}

func TestLoadEmptyFile(t *testing.T) {
	t.Parallel()
	cfg, err := Load(write(t, "tidemark.yaml", "# Nothing yet.\n"), nil)
	require.NoError(t, err)
	require.Equal(t, Default(), cfg)
}

func TestLoadAliases(t *testing.T) {
	t.Parallel()
	cfg, err := Load(write(t, "tidemark.yaml", `
kafka: {tls: &tls {enabled: true, server_name: &name db.local}}
clickhouse: {tls: *tls, database: tide}
admin: {listen: "127.0.0.1:0"}
`), nil)
	require.NoError(t, err)
	require.Equal(t, TLS{Enabled: true, ServerName: "db.local"}, cfg.ClickHouse.TLS)
}

func TestLoadMissingFile(t *testing.T) {
	t.Parallel()
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "read the configuration: open ")
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	_, err := Load("", []string{
		"TIDEMARK_SERVICE_HOST=10.0.0.1",
		"TIDEMARK_SERVICE_PORT=8080",
		"TIDEMARK_SERVICE_PORT_HTTP=8080",
		"TIDEMARK_PORT=tcp://10.0.0.1:8080",
		"TIDEMARK_COLLECTOR_PORT_8080_TCP=tcp://10.0.0.1:8080",
		"TIDEMARK_COLLECTOR_PORT_8080_TCP_ADDR=10.0.0.1",
	})
	require.NoError(t, err)
	_, err = Load("", []string{"TIDEMARK_SERVICE=1"})
	require.EqualError(t, err, "environment: unknown variable TIDEMARK_SERVICE; no key is like it: unset it")
	_, err = Load("", []string{"TIDEMARK_BROKERS=a:1"})
	require.EqualError(t, err, "environment: unknown variable TIDEMARK_BROKERS; did you mean TIDEMARK_KAFKA_BROKERS?")
}
