package preflight_test

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/preflight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

// lines shows findings one a line; each of the pairs of old and new text is replaced.
func lines(findings []preflight.Finding, replace ...string) []string {
	var out []string
	for _, f := range findings {
		text := fmt.Sprintf("%s %s: %s", f.Level, f.Subject, f.Text)
		if f.Fix != "" {
			text += " | " + f.Fix
		}
		out = append(out, strings.NewReplacer(replace...).Replace(text))
	}
	return out
}

// grave are the lines that are not ok.
func grave(all []string) []string {
	var out []string
	for _, line := range all {
		if !strings.HasPrefix(line, "ok ") {
			out = append(out, line)
		}
	}
	return out
}
