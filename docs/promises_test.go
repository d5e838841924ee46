package docs

import (
	"cmp"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/backtest"
	"tidemark/internal/cataloguetest"
	"tidemark/internal/config"
	"tidemark/schemas"
	"tidemark/schemas/rules"
	"tidemark/sinks/clickhouse/views"
)

// all returns every first group that a pattern finds.
func all(text, pattern string) []string {
	var found []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

func TestEveryMetricIsExplained(t *testing.T) {
	code := source(t, "pipeline/metrics", "metrics.go") + source(t, "pipeline/canary", "canary.go")
	var names []string
	for _, name := range append(all(code, `(?:counter|gauge|histogram)\("(\w+)"`), all(code, `Name: "(\w+)"`)...) {
		names = append(names, "tidemark_"+name)
	}
	code = source(t, "pipeline/collect", "metrics.go")
	names = append(names, all(code, `Name: "(tidemark_collector_\w*\w)"`)...)
	for _, name := range append(all(code, `counter\("(\w+)"`), all(code, `\{"(\w+)", "`)...) {
		names = append(names, "tidemark_collector_"+name)
	}
	for _, name := range all(source(t, "pipeline/normalise", "metrics.go"), `(?:counter|gauge)\("(\w+)"`) {
		names = append(names, "tidemark_normalise_"+name)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_") }) // a prefix
	require.Greater(t, len(names), 30)
	operations, triggers := readPage(t, "operations.md"), readPage(t, "triggers.md")
	for _, name := range names {
		assertion(t, slices.Contains(operations.code, name), "operations.md does not explain the metric %s", name)
	}
	code = source(t, "sinks/notify", "metrics.go")
	for _, name := range append(all(code, `(?:counter|gauge)\("(\w+)"`), all(code, `Name: "(\w+)"`)...) {
		name = "tidemark_deliveries_" + name
		assertion(t, slices.Contains(triggers.code, name), "triggers.md does not explain the metric %s", name)
		names = append(names, name)
	}
	for name, path := range mentions(t, `\b(tidemark_[a-z_]+[a-z])\b`) {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
		assertion(t, slices.Contains(names, base), "%s names the metric %s, which does not exist", path, name)
	}
}

func TestEveryReasonIsExplained(t *testing.T) {
	formats := readPage(t, "formats.md")
	reasons := all(source(t, "schemas", "reason.go"), `Reason = "(\w+)"`)
	require.NotEmpty(t, reasons)
	for _, reason := range reasons {
		assertion(t, slices.Contains(formats.code, reason), "formats.md does not explain the reason %s", reason)
	}
}

func TestEveryViewIsListed(t *testing.T) {
	catalogue, err := schemas.Builtin()
	require.NoError(t, err)
	statements, err := views.Statements(catalogue, views.Options{
		Database: "tidemark", Topics: views.DefaultTopics(), HourRetention: 9600 * time.Hour, DayRetention: 43800 * time.Hour,
	})
	require.NoError(t, err)
	names := all(strings.Join(statements, "\n"), `(?m)^CREATE OR REPLACE VIEW tidemark\.(\w+)`)
	require.Len(t, names, len(statements))
	_, table, found := strings.Cut(readPage(t, filepath.Join(root, "README.md")).text, "\n## The views\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")
	var listed []string
	for _, row := range all(table, `(?m)^\| [^|]+ \| ([^|]+) \|`) {
		for _, pattern := range all(row, "`([^`]+)`") {
			listed = append(listed, expand(pattern)...)
		}
	}
	for _, name := range names {
		assertion(t, slices.Contains(listed, name), "README.md does not list the view %s", name)
	}
	for _, name := range listed {
		assertion(t, slices.Contains(names, name), "README.md lists %s, which is no view", name)
	}
}

// expand returns what braces stand for: a{b,c} is ab and ac.
func expand(pattern string) []string {
	before, rest, found := strings.Cut(pattern, "{")
	if !found {
		return []string{pattern}
	}
	choices, after, _ := strings.Cut(rest, "}")
	var names []string
	for _, c := range strings.Split(choices, ",") {
		for _, tail := range expand(after) {
			names = append(names, before+c+tail)
		}
	}
	return names
}

// TestSDKExamplesUseWhatIsTested holds the README's calls of the SDKs to those of internal/sdktest, which run.
func TestSDKExamplesUseWhatIsTested(t *testing.T) {
	readme := readPage(t, filepath.Join(root, "README.md"))
	tested := map[string]string{
		"js": source(t, "internal/sdktest/node", "send.mjs"), "python": source(t, "internal/sdktest/python", "send.py"),
	}
	seen := 0
	for _, m := range fence.FindAllStringSubmatch(readme.text, -1) {
		code, ok := tested[m[1]]
		if !ok {
			continue
		}
		seen++
		// Imports, the client's options, and how it is ended. The calls themselves are named by the plan of each test.
		for _, part := range all(m[2], `(?m)(^(?:import|from) .*$|\bhost\b|\bClient\b|\bAnalytics\b|\bwriteKey\b|\.(?:closeAndFlush|shutdown)\b)`) {
			assertion(t, strings.Contains(code, part), "README.md: %q is not in the tested script", part)
		}
	}
	require.Equal(t, len(tested), seen)
}

// TestExamplesWork loads every YAML example as what it is: a catalogue, rules, tests of either, or a configuration.
func TestExamplesWork(t *testing.T) {
	catalogues, configurations := 0, 0
	catalogue, err := schemas.Builtin()
	require.NoError(t, err)
	tables, err := views.Tables(catalogue)
	require.NoError(t, err)
	for _, p := range pages(t) {
		for _, m := range fence.FindAllStringSubmatch(p.text, -1) {
			if m[1] != "yaml" {
				continue
			}
			path := filepath.Join(t.TempDir(), "example.yaml")
			require.NoError(t, os.WriteFile(path, []byte(m[2]), 0o600))
			if ofRules := regexp.MustCompile(`(?m)^rules:`).MatchString(m[2]); ofRules {
				if regexp.MustCompile(`(?m)^tests:`).MatchString(m[2]) {
					_, err := backtest.ReadTests(path)
					require.NoError(t, err, "%s:\n%s", p.path, m[2])
					continue
				}
				_, err := rules.Load(catalogue, tables, path)
				require.NoError(t, err, "%s:\n%s", p.path, m[2])
				continue
			}
			if regexp.MustCompile(`(?m)^tests:`).MatchString(m[2]) {
				_, err := cataloguetest.Read(path)
				require.NoError(t, err, "%s:\n%s", p.path, m[2])
				continue
			}
			if regexp.MustCompile(`(?m)^(metrics|workflows|events|active_when|tickets|segments|targets|goals|health):`).MatchString(m[2]) {
				catalogues++
				_, err := schemas.Load(path)
				require.NoError(t, err, "%s:\n%s", p.path, m[2])
				continue
			}
			configurations++
			// Secrets stand in files that readers have and this test has not.
			text := regexp.MustCompile(`\w+_file: /[^\s,}]+`).ReplaceAllStringFunc(m[2], func(line string) string {
				key, _, _ := strings.Cut(line, ":")
				return key + ": " + secret(t, key)
			})
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			_, err := config.Load(path, nil)
			require.NoError(t, err, "%s:\n%s", p.path, m[2])
		}
	}
	require.NotZero(t, catalogues)
	require.NotZero(t, configurations)
}

// secret returns a file with a secret in it, of the form that the key takes.
func secret(t *testing.T, key string) string {
	t.Helper()
	text := map[string]string{
		"url_file": "https://example.com/hook", "secrets_file": "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
	}[key]
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(cmp.Or(text, "secret")+"\n"), 0o600))
	return path
}
