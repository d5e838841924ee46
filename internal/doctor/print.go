package doctor

import (
	"fmt"
	"io"
	"strings"
	"time"

	"tidemark/internal/preflight"
)

// Report is all that the doctor has to say.
type Report struct {
	Facts      *Facts      `json:"facts"`
	Watermarks []Watermark `json:"watermarks"`
	Findings   []Finding   `json:"findings"`
}

// Examine makes the report of the facts.
func Examine(f *Facts) *Report {
	return &Report{Facts: f, Watermarks: Watermarks(f), Findings: Diagnose(f)}
}

// WriteText writes the report for people.
func (r *Report) WriteText(out io.Writer) error {
	var text strings.Builder
	for i, one := range r.Findings {
		fmt.Fprintf(&text, "%d. %-6s  %s\n", i+1, one.Severity, one.Title)
		if one.Since != nil {
			fmt.Fprintf(&text, "   since    %s (%s ago)\n", one.Since.Format(time.RFC3339), ago(r.Facts.At.Sub(*one.Since).Seconds()))
		}
		lines(&text, "affects", one.Affects)
		lines(&text, "seen", one.Evidence...)
		lines(&text, "leads to", one.Leads...)
		lines(&text, "do", one.Do...)
		if one.Runbook != "" {
			lines(&text, "runbook", "docs/runbooks/"+one.Runbook)
		}
		text.WriteByte('\n')
	}
	for _, w := range r.Watermarks {
		if w.To.Unix() > 0 {
			fmt.Fprintf(&text, "%s is complete up to %s: %s\n", w.Topic, w.To.UTC().Format(time.RFC3339), w.Why)
		}
	}
	fmt.Fprintln(&text, r.looked())
	_, err := io.WriteString(out, text.String())
	return err
}

// lines writes what belongs to one heading, a line each.
func lines(text *strings.Builder, heading string, all ...string) {
	for _, line := range all {
		if line != "" {
			fmt.Fprintf(text, "   %-8s %s\n", heading, strings.ReplaceAll(line, "\n", "\n            "))
			heading = ""
		}
	}
}

// looked says in one line what the findings stand on.
func (r *Report) looked() string {
	f := r.Facts
	partitions := 0
	if f.Lag != nil {
		partitions = len(f.Lag.Sources)
	}
	verdict := "Nothing has to be done."
	if Grave(r.Findings) {
		verdict = "Begin with 1."
	}
	return fmt.Sprintf("Looked at %s of the group %s, %s of ClickHouse and %s of Tidemark. %s", preflight.Count(partitions, "partition"), f.Group,
		preflight.Count(len(f.Servers), "server"), plural(len(f.Processes), "process", "processes"), verdict)
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", more)
}
