package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"
)

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	const password = "hunter2"
	cfg := Default()
	cfg.Kafka.SASL.Password = NewSecret(password)
	cfg.Collector.WriteKeys = []Secret{NewSecret(password)}

	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t", "%p"} {
		shown["secret "+verb] = fmt.Sprintf(verb, cfg.Kafka.SASL.Password)
		shown["config "+verb] = fmt.Sprintf(verb, cfg)
		shown["unexported "+verb] = fmt.Sprintf(verb, struct{ password Secret }{cfg.Kafka.SASL.Password})
	}
	asJSON, err := json.Marshal(cfg)
	require.NoError(t, err)
	shown["json"] = string(asJSON)
	asYAML, err := yaml.Marshal(cfg)
	require.NoError(t, err)
	shown["yaml"] = string(asYAML)
	for name, encoder := range map[string]zapcore.Encoder{
		"zap json":    zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		"zap console": zapcore.NewConsoleEncoder(zap.NewProductionEncoderConfig()),
	} {
		var out bytes.Buffer
		log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zap.InfoLevel))
		log.Info("start", zap.Any("config", cfg), zap.Any("password", cfg.Kafka.SASL.Password))
		log.Sugar().Infow("start", "password", cfg.Kafka.SASL.Password)
		require.Contains(t, out.String(), "<secret>")
		shown[name] = out.String()
	}
	for how, text := range shown {
		require.NotContains(t, text, password, how)
		require.NotContains(t, text, fmt.Sprintf("%x", password), how)
	}
	require.Equal(t, "<secret>", shown["secret %v"])
	require.Contains(t, shown["yaml"], "password: <secret>")
	require.Equal(t, password, cfg.Kafka.SASL.Password.Reveal())
}

func TestUnsetSecretIsShownAsUnset(t *testing.T) {
	t.Parallel()
	require.Empty(t, Secret{}.String())
	require.False(t, Secret{}.IsSet())
	require.Equal(t, `""`, fmt.Sprintf("%#v", Secret{}))
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	password := write(t, "password", "hunter2 \r\n")
	keys := write(t, "keys", "one\n\n  two\n")
	cfg, err := Load(write(t, "tidemark.yaml", "clickhouse: {writer: {password: '', password_file: "+password+"}}"),
		[]string{"TIDEMARK_COLLECTOR_WRITE_KEYS_FILE=" + keys})
	require.NoError(t, err)
	require.Equal(t, "hunter2 ", cfg.ClickHouse.Writer.Password.Reveal())
	require.Len(t, cfg.Collector.WriteKeys, 1)
	require.Equal(t, []string{"one", "two"}, strings.Fields(cfg.Collector.WriteKeys[0].Reveal()))
}

// TestSecretFilesAreReadAgain: who logs in next does so with what the file holds then, and while somebody writes it with what it held.
func TestSecretFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, name := range []string{"kafka", "writer", "tenant"} {
		files[name] = write(t, name, "old\n")
	}
	cfg, err := Load(write(t, "tidemark.yaml", fmt.Sprintf(`
kafka: {insecure: true, sasl: {mechanism: PLAIN, user: me, password_file: %s}}
clickhouse: {writer: {password_file: %s}, tenants: {acme: {password_file: %s, accounts: [a]}}}
`, files["kafka"], files["writer"], files["tenant"])), nil)
	require.NoError(t, err)
	secrets := func() []string {
		return []string{
			cfg.Kafka.SASL.Login().Password.Reveal(), cfg.ClickHouse.Writer.Password.Reveal(), cfg.ClickHouse.Tenants["acme"].Password.Reveal(),
		}
	}
	require.Equal(t, []string{"old", "old", "old"}, secrets())
	for _, step := range []struct{ content, want string }{{"new\n", "new"}, {"", "new"}, {"newer", "newer"}} {
		for _, file := range files {
			require.NoError(t, os.WriteFile(file, []byte(step.content), 0o600))
		}
		require.Equal(t, []string{step.want, step.want, step.want}, secrets())
	}
	for _, file := range files {
		require.NoError(t, os.Remove(file))
	}
	require.Equal(t, []string{"newer", "newer", "newer"}, secrets())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg.Kafka.SASL.Password), "newer")
}

func TestEnvironmentReplacesSecretOfFile(t *testing.T) {
	t.Parallel()
	missing := "clickhouse: {writer: {password_file: /nowhere}}"
	cfg, err := Load(write(t, "tidemark.yaml", missing), []string{"TIDEMARK_CLICKHOUSE_WRITER_PASSWORD=new"})
	require.NoError(t, err)
	require.Equal(t, "new", cfg.ClickHouse.Writer.Password.Reveal())

	cfg, err = Load(write(t, "tidemark.yaml", "clickhouse: {writer: {password: old}}"),
		[]string{"TIDEMARK_CLICKHOUSE_WRITER_PASSWORD_FILE=" + write(t, "password", "newer")})
	require.NoError(t, err)
	require.Equal(t, "newer", cfg.ClickHouse.Writer.Password.Reveal())
}

func TestSecretProblems(t *testing.T) {
	t.Parallel()
	require.Equal(t,
		[]string{"tidemark.yaml:3: kafka.sasl.password_file and kafka.sasl.password are both set (the other at tidemark.yaml:2); keep one"},
		problemsOf(t, "kafka: {sasl: {mechanism: SCRAM-SHA-512, user: me,\n  password: hunter2,\n  password_file: "+
			write(t, "password", "hunter3")+"}}"))

	empty := write(t, "empty", "\n")
	require.Equal(t,
		[]string{"TIDEMARK_CLICKHOUSE_READER_PASSWORD_FILE: clickhouse.reader.password_file: " + empty + " is empty; write the secret into it"},
		problemsOf(t, "", "TIDEMARK_CLICKHOUSE_READER_PASSWORD_FILE="+empty))

	_, err := Load("", []string{"TIDEMARK_KAFKA_SASL_PASSWORD_FILE=" + filepath.Join(t.TempDir(), "none")})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "TIDEMARK_KAFKA_SASL_PASSWORD_FILE: kafka.sasl.password_file: open ")
}
