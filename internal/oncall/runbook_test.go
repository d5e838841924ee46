//go:build prometheus

package oncall

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/e2e"
)

var (
	block = regexp.MustCompile(`(?m)^        (\S.*(?:\n        (?: |FROM |WHERE |GROUP |ORDER ).*)*)$`) // a command, with lines that belong to it
	words = regexp.MustCompile("`((?:tidemark|curl) [^`]+|SELECT [^`]+)`")
)

// steps are what a runbook says to run, in its order.
func (s *stand) steps(page string) (all []string) {
	s.T.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs/runbooks", page))
	require.NoError(s.T, err)
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	for _, m := range words.FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	require.NotEmpty(s.T, all, page)
	return all
}

// walk runs every command and query of a runbook word for word, but for the words in capitals, whose values are given, and returns what
// they say, in that order. A step with a value "-" is left for later.
func (s *stand) walk(page string, values map[string]string) string {
	s.T.Helper()
	values["HOST:9090"], values["COLLECTOR:8080"] = s.admin(s.pipeline), strings.TrimPrefix(s.url, "http://")
	if s.normaliser != nil {
		values["NORMALISER:9090"] = s.admin(s.normaliser)
	}
	var said strings.Builder
	for _, step := range s.steps(page) {
		later := false
		for name, value := range values {
			if strings.Contains(step, name) {
				later = later || value == "-"
				step = strings.ReplaceAll(step, name, value)
			}
		}
		if later {
			continue
		}
		s.T.Logf("%s: %s", page, step)
		output := s.run(step)
		s.T.Log(output)
		said.WriteString(step + "\n" + output + "\n")
	}
	return said.String()
}

// run runs one step: a command, a query for ClickHouse or one for Prometheus. A check that finds something ends with 1, and curl with 7
// when nobody listens.
func (s *stand) run(step string) string {
	s.T.Helper()
	switch name, _, _ := strings.Cut(step, " "); name {
	case "tidemark", "curl":
		ctx, cancel := context.WithTimeout(s.T.Context(), time.Minute)
		defer cancel()
		if strings.Contains(step, "--watch") { // which has no end
			ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
		}
		cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+step)
		cmd.Env = append(append(os.Environ(), s.Env...), "PATH="+s.path()+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		require.NotContains(s.T, string(out), "unexpected argument", step)
		require.NotContains(s.T, string(out), "unknown flag", step)
		if err != nil {
			return string(out) + err.Error()
		}
		return string(out)
	case "SELECT":
		return s.sql(step)
	}
	found, err := s.prometheus.query(step)
	require.NoError(s.T, err, step)
	return found.String()
}

// path is a directory with tidemark in it.
func (s *stand) path() string {
	s.T.Helper()
	return filepath.Dir(e2e.Binary(s.T, ""))
}

// sql runs a query as the reader, and returns its rows as text.
func (s *stand) sql(query string) string {
	s.T.Helper()
	rows, err := s.DB.Open(s.T, devclickhouse.Reader).Query(s.T.Context(), "SELECT toString(tuple(*)) FROM ("+query+")")
	require.NoError(s.T, err, query)
	defer rows.Close() //nolint:errcheck // read to its end
	var out strings.Builder
	for rows.Next() {
		var row string
		require.NoError(s.T, rows.Scan(&row))
		out.WriteString(row + "\n")
	}
	require.NoError(s.T, rows.Err())
	return out.String()
}
