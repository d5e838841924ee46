//go:build prometheus

package oncall

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"tidemark/internal/e2e"
)

// patience bounds every wait.
const patience = 5 * time.Minute

// prometheus is a running Prometheus with the rules that are shipped, in which every duration is shorter by scale.
type prometheus struct {
	t       *testing.T
	url     string
	targets string // a file that it follows
	since   time.Time
}

// target is a process to be scraped.
type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// startPrometheus starts one on a port that the kernel picks.
func startPrometheus(t *testing.T) *prometheus {
	t.Helper()
	binary, err := filepath.Abs("../../.cache/bin/prometheus")
	require.NoError(t, err)
	require.FileExists(t, binary, "make test-prometheus builds it")
	dir := t.TempDir()
	p := &prometheus{t: t, since: time.Now(), targets: filepath.Join(dir, "targets.json")}
	p.scrape()
	config := map[string]any{
		"global":     map[string]any{"scrape_interval": shorter(t, "5s"), "evaluation_interval": shorter(t, "5s"), "scrape_timeout": shorter(t, "5s")},
		"rule_files": []string{"rules.yml", "alerts.yml"},
		"scrape_configs": []any{map[string]any{
			"job_name": "tidemark", "file_sd_configs": []any{map[string]any{"files": []string{p.targets}, "refresh_interval": "1s"}},
		}},
	}
	writeYAML(t, filepath.Join(dir, "prometheus.yml"), config)
	for _, file := range []string{"rules.yml", "alerts.yml"} {
		writeYAML(t, filepath.Join(dir, file), scaled(t, filepath.Join("../../deploy/prometheus", file)))
	}
	server := e2e.Start(t, binary, "prometheus", nil, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0", "--storage.tsdb.no-lockfile")
	t.Cleanup(func() { server.Terminate(t) })
	p.url = "http://" + server.Says(t, `msg="Listening on" .*address=(127\.0\.0\.1:[1-9]\d*)`)
	server.Says(t, `Server is ready to receive web requests`)
	return p
}

func writeYAML(t *testing.T, path string, content any) {
	t.Helper()
	text, err := yaml.Marshal(content)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o600))
}

// scrape has it scrape these admin ports and no others.
func (p *prometheus) scrape(addresses ...string) {
	p.t.Helper()
	text, err := json.Marshal([]target{{Targets: slices.Concat([]string{}, addresses), Labels: map[string]string{}}})
	require.NoError(p.t, err)
	fresh := p.targets + ".new"
	require.NoError(p.t, os.WriteFile(fresh, text, 0o600))
	require.NoError(p.t, os.Rename(fresh, p.targets))
}

// ask calls its HTTP API.
func (p *prometheus) ask(path string, arguments url.Values, into any) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path+"?"+arguments.Encode(), nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", resp.Status, answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// query evaluates an expression now.
func (p *prometheus) query(expression string) (model.Vector, error) {
	var result struct{ Result model.Vector }
	err := p.ask("/api/v1/query", url.Values{"query": {expression}}, &result)
	return result.Result, err
}

// alerts are those that fire now, or that ever did since all was well: names with the partition or target that they are about. If it
// cannot be asked, its error stands there.
func (p *prometheus) alerts(ever bool) []string {
	p.t.Helper()
	expression := `ALERTS{alertstate="firing"}`
	if ever {
		expression = fmt.Sprintf("last_over_time(%s[%ds])", expression, int(time.Since(p.since).Seconds()))
	}
	found, err := p.query(expression)
	if err != nil {
		return []string{err.Error()}
	}
	var names []string
	for _, s := range found {
		name := string(s.Metric["alertname"])
		if s.Metric["topic"] != "" {
			name += fmt.Sprintf(" %s/%s", s.Metric["topic"], s.Metric["partition"])
		}
		if s.Metric["target"] != "" {
			name += " " + string(s.Metric["target"])
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// calm waits until all is well: a busy machine may have made records late at the start.
func (p *prometheus) calm() {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		slow, err := p.query("tidemark:freshness_slow:ratio_rate5m < 0.01 and tidemark:freshness_slow:ratio_rate1h < 0.05")
		return err == nil && len(slow) == 1 && len(p.alerts(false)) == 0
	}, patience, 500*time.Millisecond, "records are late, or %s, before there is a fault", p.alerts(false))
	p.since = time.Now()
}

// raises waits until an alert fires, and then for a while longer, in which a wrong one would. None other may ever have fired.
func (p *prometheus) raises(want ...string) {
	p.t.Helper()
	slices.Sort(want)
	began := time.Now()
	require.Eventually(p.t, func() bool {
		firing := p.alerts(false)
		return !slices.ContainsFunc(want, func(name string) bool { return !slices.Contains(firing, name) })
	}, patience, 250*time.Millisecond, "%s is not raised", want)
	p.t.Logf("%s after %s", want, time.Since(began).Round(100*time.Millisecond))
	pass(8 * time.Second) // more than any page waits
	slow, _ := p.query("tidemark:freshness_slow:ratio_rate5m")
	require.Equal(p.t, want, p.alerts(true), "alerts that fired; of the records %s are late", slow)
}

// ends waits until an alert fires no longer.
func (p *prometheus) ends(name string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return !slices.Contains(p.alerts(false), name) }, patience, 250*time.Millisecond, "%s does not end", name)
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }
