//go:build prometheus

package oncall

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// scale is how many times as fast as in production time goes by for the rules: every duration in them (ranges of expressions, what
// an alert waits for, the intervals of scrapes and evaluations) is divided by it, and nothing else is changed. Thresholds are not
// durations of rules: a lag of 60 seconds is one.
const scale = 10

func shorter(t *testing.T, duration string) string {
	t.Helper()
	d, err := model.ParseDuration(duration)
	require.NoError(t, err)
	return model.Duration(time.Duration(d) / scale).String()
}

// rules are a file of rules.
type rules struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

var ranges = regexp.MustCompile(`\[(\w+)\]`)

// scaled reads a file of rules, with every duration shorter.
func scaled(t *testing.T, path string) rules {
	t.Helper()
	r := readRules(t, path)
	for _, g := range r.Groups {
		for i := range g.Rules {
			one := &g.Rules[i]
			one.Expr = ranges.ReplaceAllStringFunc(one.Expr, func(text string) string { return "[" + shorter(t, text[1:len(text)-1]) + "]" })
			if one.For != "" {
				one.For = shorter(t, one.For)
			}
		}
	}
	return r
}

func readRules(t *testing.T, path string) (r rules) {
	t.Helper()
	content, err := os.Open(path)
	require.NoError(t, err)
	defer content.Close() //nolint:errcheck // only read
	decoder := yaml.NewDecoder(content)
	decoder.KnownFields(true) // so that nothing is lost on the way
	require.NoError(t, decoder.Decode(&r))
	return r
}

// panels are the expressions of the dashboards, by panel.
func panels(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	require.NoError(t, err)
	found := map[string][]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var b struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		require.NoError(t, json.Unmarshal(content, &b), file)
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				if q.Expr != "" {
					found[p.Title] = append(found[p.Title], q.Expr)
				}
			}
		}
	}
	require.Greater(t, len(found), 10)
	return found
}

// showsEveryPanel runs every panel's expression. Each has something to show.
func (s *stand) showsEveryPanel() {
	s.T.Helper()
	for title, expressions := range panels(s.T) {
		for _, e := range expressions {
			found, err := s.prometheus.query(e)
			require.NoError(s.T, err, "%s: %s", title, e)
			require.NotEmpty(s.T, found, "%s: %s", title, e)
		}
	}
}

// exportsEveryMetric waits until every metric that a rule names was scraped from some process.
func (s *stand) exportsEveryMetric() {
	s.T.Helper()
	require.Eventually(s.T, func() bool {
		var missing []string
		exported := s.names()
		for _, file := range []string{"rules.yml", "alerts.yml"} {
			for _, g := range readRules(s.T, filepath.Join("../../deploy/prometheus", file)).Groups {
				for _, r := range g.Rules {
					for _, name := range metric.FindAllString(r.Expr, -1) {
						if !strings.Contains(name, ":") && !slices.Contains(exported, name) { // one with a colon is a rule's
							missing = append(missing, name)
						}
					}
				}
			}
		}
		if len(missing) > 0 {
			s.T.Log("no process exports", missing)
		}
		return len(missing) == 0
	}, patience, 5*time.Second, "no process exports what a rule names")
}

var metric = regexp.MustCompile(`\b(?:[a-z]+:)?tidemark[a-z0-9_:]*_[a-z0-9_]+`)

// names are the metrics that Prometheus has scraped; none if it does not answer.
func (s *stand) names() (names []string) {
	if s.prometheus.ask("/api/v1/label/__name__/values", nil, &names) != nil {
		return nil
	}
	return names
}
