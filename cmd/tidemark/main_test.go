package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"tidemark/internal/config"
)

// outcome is what one command line did.
type outcome struct {
	code           int
	stdout, stderr string
}

func tidemark(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, env, &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tidemark.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestVersion(t *testing.T) {
	t.Parallel()
	got := tidemark(t, nil, "version")
	require.Equal(t, exitOK, got.code)
	require.Empty(t, got.stderr)
	require.Regexp(t, `^tidemark \S+ \(go1\.\S+, \w+/\w+\)\n$`, got.stdout)
}

func TestHelpListsSubcommands(t *testing.T) {
	t.Parallel()
	got := tidemark(t, nil, "--help")
	require.Equal(t, exitOK, got.code)
	require.Empty(t, got.stderr)
	require.Contains(t, got.stdout, "check ")
	require.Contains(t, got.stdout, "version ")
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	require.Equal(t,
		outcome{exitUsage, "", "tidemark: unexpected argument chekc, did you mean \"check\"? (see tidemark --help)\n"},
		tidemark(t, nil, "chekc"))
	require.Equal(t,
		outcome{exitUsage, "", "tidemark: unknown flag --confg, did you mean \"--config\"? (see tidemark --help)\n"},
		tidemark(t, nil, "check", "--confg=x"))
}

func TestCheckOffline(t *testing.T) {
	t.Parallel()
	const rest = "ok       catalogue: the built-in one, 32 metrics\nok       canary: the account _canary every 1s\n"
	require.Equal(t,
		outcome{exitOK, "ok       configuration: the defaults and the environment\n" + rest, ""},
		tidemark(t, []string{"TIDEMARK_KAFKA_GROUP=g"}, "check", "--offline"))
	path := configFile(t, "log: {level: debug}")
	require.Equal(t,
		outcome{exitOK, "ok       configuration: " + path + "\n" + rest, ""},
		tidemark(t, nil, "check", "--offline", "-c", path))
}

func TestCheckFindsABrokenCatalogueAndAVisibleCanary(t *testing.T) {
	t.Parallel()
	catalogue := configFile(t, "version: 1\nmetrics: [{name: events, sort: count}]\n")
	got := tidemark(t, []string{"TIDEMARK_PIPELINE_CATALOGUE=" + catalogue, "TIDEMARK_CANARY_ACCOUNT=bird"}, "check", "--offline")
	require.Equal(t, exitFailure, got.code)
	require.Equal(t, "tidemark: check: 1 error and 1 warning; each is printed with what to do about it\n", got.stderr)
	require.Regexp(t, `\nerror    catalogue: .*\n         .* sort .*\n         to mend it: correct the file that pipeline.catalogue names\n`, got.stdout)
	require.Contains(t, got.stdout, "warning  canary: the made-up account bird shows up in the views\n         to mend it: begin canary.account with _, which hides it\n")
}

func TestCheckExampleIsAConfiguration(t *testing.T) {
	t.Parallel()
	example := tidemark(t, nil, "check", "--example")
	require.Equal(t, outcome{exitOK, string(config.Example()), ""}, example)
	require.Equal(t, exitOK, tidemark(t, nil, "check", "--offline", "-c", configFile(t, example.stdout)).code)
}

func TestCheckPrintsALinePerProblem(t *testing.T) {
	t.Parallel()
	path := configFile(t, "kafka:\n  broker: a:1\n  group: ''\n")
	require.Equal(t, outcome{exitFailure, "", "" +
		"tidemark: " + path + ":2: unknown key kafka.broker; did you mean kafka.brokers?\n" +
		"tidemark: environment: unknown variable TIDEMARK_LOGLEVEL; did you mean TIDEMARK_LOG_LEVEL?\n" +
		"tidemark: kafka.group: must not be empty\n"},
		tidemark(t, []string{"TIDEMARK_LOGLEVEL=info"}, "check", "--config", path))
}

func TestGlobalFlagsWinOverConfiguration(t *testing.T) {
	t.Parallel()
	g := globals{
		Config:    configFile(t, "log: {level: warn, format: console}"),
		LogLevel:  "error",
		LogFormat: "json",
		env:       []string{"TIDEMARK_LOG_LEVEL=info"},
	}
	cfg, err := g.load()
	require.NoError(t, err)
	require.Equal(t, config.Log{Level: "error", Format: "json"}, cfg.Log)

	require.Equal(t,
		outcome{exitFailure, "", "tidemark: log.level: \"loud\" is unknown; choose one of debug, info, warn, error\n"},
		tidemark(t, nil, "check", "--log-level", "loud"))
}

func TestLoggerWritesToStandardError(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	g := globals{stderr: &stderr}
	log, err := g.logger(config.Log{Level: "warn", Format: "json"})
	require.NoError(t, err)
	log.Info("hidden")
	log.Error("flush failed", zap.String("topic", "telemetry"))
	var entry map[string]any
	require.NoError(t, json.Unmarshal(stderr.Bytes(), &entry), "one JSON object: %s", stderr.String())
	require.Equal(t, "flush failed", entry["msg"])
	require.Equal(t, "error", entry["level"])
	require.Equal(t, "telemetry", entry["topic"])
	require.NotContains(t, entry, "stacktrace")

	stderr.Reset()
	log, err = g.logger(config.Log{Level: "info", Format: "console"})
	require.NoError(t, err)
	log.Info("started", zap.Int("partitions", 8))
	require.Regexp(t, `^\S+\tINFO\tstarted\t\{"partitions": 8\}\n$`, stderr.String())
}

func TestCutShort(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	failure := fmt.Errorf("dial: %w", context.Canceled)
	require.Equal(t, failure, cutShort(ctx, failure), "nobody asked for a stop")
	cancel(stoppedBy{syscall.SIGTERM})
	require.EqualError(t, cutShort(ctx, errors.New("disk full")), "disk full")

	var stderr bytes.Buffer
	require.Equal(t, 143, fail(&stderr, cutShort(ctx, failure)))
	require.Equal(t, "tidemark: stopped by terminated\n", stderr.String())
}

// codedError is a failure with an exit code of its own.
type codedError struct{ error }

func (codedError) ExitCode() int { return 3 }

func TestFail(t *testing.T) {
	t.Parallel()
	for want, err := range map[outcome]error{
		{exitFailure, "", "tidemark: one\n"}:                errors.New("one"),
		{exitFailure, "", "tidemark: one\ntidemark: two\n"}: errors.Join(errors.New("one"), errors.Join(errors.New("two"))),
		{3, "", "tidemark: compare: 2 rows differ\n"}:       fmt.Errorf("compare: %w", codedError{errors.New("2 rows differ")}),
		{exitFailure, "", "tidemark: context canceled\n"}:   context.Canceled,
	} {
		var stderr bytes.Buffer
		require.Equal(t, want, outcome{code: fail(&stderr, err), stderr: stderr.String()})
	}
}
