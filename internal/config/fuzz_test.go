package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// FuzzYAML holds that a file is refused with problems that name it, or read; and that no problem shows a secret.
func FuzzYAML(f *testing.F) {
	for _, s := range []string{
		string(Example()), ``, `---`, `null`, `[`, "\xff", "kafka: {group: a}\n---\n", "kafka: {group: a}\n--- 1\n", "kafka: &k {tls: *k}", "kafka: &k {sasl: {password: hunter2hunter2}}",
		"collector: {write_keys: [&a a, *a], max_event: 9999999999999999GB}", "pipeline: {flush_interval: 1e9h, flush_rows: 0x10, max_cells: 99999999999999999999}",
		"kafka: {brokers: []}", "kafka: {brokers: ['']}", "kafka: {brokers: ['a:99999', '[::1]:1']}", "kafka: {tls: [1], sasl: ~}", "? [a]\n: b\n", "<<: {kafka: 1}", "kafka: {group: !!binary aGk=, brokers: !!set {a}}",
		"clickhouse: {writer: {password: hunter2hunter2, password_file: x}}", "pipeline: {retention: {minute: 9999999h}}", "%YAML 1.2\n---\nkafka:\n", "kafka: {group: a, group: b}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg := Default()
		l := newLoader(&cfg)
		l.readYAML("mine.yaml", data)
		for _, err := range l.problems {
			require.True(t, strings.HasPrefix(err.Error(), "mine.yaml:"), err)
		}
		if len(l.problems) > 0 {
			return
		}
		var document any
		if err := yaml.Unmarshal(data, &document); err != nil {
			// What the parser refuses only as a value: keys that are twice the same, or no keys, in what is not a section.
			require.NotContains(t, err.Error(), "yaml: line", "a syntax error goes unnoticed")
		}
		if err := cfg.Validate(); err != nil {
			for _, secret := range secretsOf(&cfg) {
				require.NotContains(t, err.Error(), secret)
			}
		}
	})
}

// secretsOf returns the passwords that are long enough not to be part of a message by chance.
func secretsOf(cfg *Config) []string {
	var long []string
	for _, s := range append([]Secret{cfg.Kafka.SASL.Password, cfg.ClickHouse.Writer.Password}, cfg.Collector.WriteKeys...) {
		if len(s.Reveal()) > 12 {
			long = append(long, s.Reveal())
		}
	}
	return long
}

// FuzzEnv holds that a variable is a setting, somebody else's, or a problem that says where it is.
func FuzzEnv(f *testing.F) {
	for _, s := range []string{"KAFKA_GROUP=a", "KAFKA_BROKERS=a:1,,b", "COLLECTOR_MAX_EVENT=1KB", "PIPELINE_FLUSH_ROWS=-1", "KAFKA_BROKER=x", "=", "", "X_SERVICE_HOST=1", "KAFKA_SASL_PASSWORD=\x00", "CANARY_ENABLED=maybe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, variable string) {
		cfg := Default()
		l := newLoader(&cfg)
		l.readEnv([]string{envPrefix + variable, variable})
		for _, err := range l.problems {
			name, _, _ := strings.Cut(variable, "=")
			require.Contains(t, err.Error(), name)
		}
		_ = cfg.Validate() // whatever was set, it is told apart without a panic
	})
}
