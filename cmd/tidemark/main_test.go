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
	var stdout, stderr syncBuffer
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
	const rest = `ok       catalogue: the built-in one: \d+ metrics, 1 workflow, 0 segments, 0 goals, 0 surveys, 6 health profiles
ok       vanity: \d+ built-in metrics serve no goal, target or health profile, and are there to explain others: page_views, .*
ok       rules: \d+ rules, of which \d+ may fire before their windows are over
ok       canary: the account _canary every 1s
$`
	got := tidemark(t, []string{"TIDEMARK_KAFKA_GROUP=g"}, "check", "--offline")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Regexp(t, "^ok       configuration: the defaults and the environment\n"+rest, got.stdout)
	path := configFile(t, "log: {level: debug}")
	got = tidemark(t, nil, "check", "--offline", "-c", path)
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Regexp(t, "^ok       configuration: "+path+"\n"+rest, got.stdout)
}

// TestCheckOfflineReadsEverySection: a user's catalogue with all sections passes, a metric that serves nothing is warned of, and
// mistakes in each section are named with file, line and the nearest name.
func TestCheckOfflineReadsEverySection(t *testing.T) {
	t.Parallel()
	check := func(catalogue string) outcome {
		return tidemark(t, []string{"TIDEMARK_PIPELINE_CATALOGUE=" + catalogue}, "check", "--offline")
	}
	got := check(filepath.Join("..", "..", "schemas", "testdata", "everything.yaml"))
	require.Equal(t, exitOK, got.code, got.stderr+got.stdout)
	require.Contains(t, got.stdout, "2 workflows, 2 segments, 1 goal, 2 surveys, 7 health profiles\n")
	require.Contains(t, got.stdout, "warning  metric feature_rows: it serves no goal, target or health profile")
	require.NotContains(t, got.stdout, "metric enterprise_exports")
	for _, tc := range []struct{ yaml, want string }{
		{"segments: [{name: a, description: d, where: {}, profile: pendo}]\n", ":1: segment a: the health profile \"pendo\" is not declared; there are tidemark, "},
		{"targets:\n  low_use: 1\n", ":2: targets has no key \"low_use\"; did you mean low_usage?"},
		{"entitlements:\n  pro: {quotas: [{name: q, limit: 1}]}\n", ":2: entitlements of pro: quota q needs either a feature or a meter"},
		{"goals:\n  - {name: g, description: d, owner: o, metric: usage_28d.activ_users, start: 0, target: 1, within: 9d}\n", ":2: goal g: the view usage_28d has no column activ_users that is a number or text; did you mean active_users?"},
		{"surveys: [{survey: s, kind: npss}]\n", ":1: survey s: kind \"npss\" is none of [nps csat ces]; did you mean nps?"},
		{"health: {default: tidemrak}\n", ":1: health: the default profile \"tidemrak\" is not declared; did you mean tidemark?"},
		{"health:\n  default: p\n  profiles:\n    - {name: p, description: d, method: weighted, bands: [{band: good}], components: [{name: a, value: usage_28.events, scale: {from: 0, to: 1}}]}\n",
			":4: health profile p: component a: there is no view usage_28 with one row an account and day; did you mean usage_28d?"},
	} {
		got := check(configFile(t, tc.yaml))
		require.Equal(t, exitFailure, got.code)
		require.Contains(t, got.stdout, tc.want)
	}
}

func TestCheckFindsABrokenCatalogueAndAVisibleCanary(t *testing.T) {
	t.Parallel()
	catalogue := configFile(t, "version: 1\nmetrics: [{name: events, sort: count}]\n")
	got := tidemark(t, []string{"TIDEMARK_PIPELINE_CATALOGUE=" + catalogue, "TIDEMARK_CANARY_ACCOUNT=bird"}, "check", "--offline")
	require.Equal(t, exitFailure, got.code)
	require.Equal(t, "tidemark: check: 1 error and 1 warning; each is printed with what to do about it\n", got.stderr)
	require.Regexp(t, `\nerror    catalogue: .*:2: metrics has no key "sort"; .*\n         to mend it: correct the file that pipeline.catalogue names\n`, got.stdout)
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
