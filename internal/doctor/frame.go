package doctor

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tidemark/internal/preflight"
	"tidemark/pipeline/lag"
)

// Frame is one picture of tidemark top: what moves, how far behind it is, and why windows are complete no further. Lines are cut to
// width and the partitions to what rows leaves for them, the latest first; 0 cuts nothing.
func Frame(f *Facts, width, rows int) string {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	state, members := "Kafka does not answer", 0
	if f.Lag != nil {
		state, members = f.Lag.Group.State, f.Lag.Group.Members
	}
	fmt.Fprintf(w, "%s  group %s: %s, %s\n\n", f.At.Format(time.RFC3339), f.Group, state, preflight.Count(members, "member"))
	frameProcesses(w, f)
	frameTopics(w, f)
	frameRaw(w, f)
	frameStore(w, f)
	frameFindings(w, f)
	_ = w.Flush() // into memory
	above := strings.Count(text.String(), "\n")
	left := 0
	if rows > 0 {
		left = max(rows-above-3, 3)
	}
	framePartitions(w, f, left)
	_ = w.Flush()
	return cut(text.String(), width)
}

func frameProcesses(w *tabwriter.Writer, f *Facts) {
	if len(f.Processes) == 0 {
		return
	}
	fmt.Fprintln(w, "PROCESS\tREADY\tRECORDS/S\tROWS/S\tFLUSH\tWINDOWS\tCORES\tMEMORY")
	for i := range f.Processes {
		p := &f.Processes[i]
		address := strings.TrimPrefix(p.URL, "http://")
		if p.Error != "" || p.Seconds == 0 {
			fmt.Fprintf(w, "%s\tdoes not answer\t\t\t\t\t\t\n", address)
			continue
		}
		ready, flush := "yes", "-"
		if !p.Ready {
			ready = firstLine(p.Said)
		}
		if mean, any := p.Mean("tidemark_flush_duration_seconds"); any {
			flush = ago(mean)
		}
		before, _ := p.Before.histogram("tidemark_flush_rows")
		after, _ := p.After.histogram("tidemark_flush_rows")
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%s\t%.0f\t%.2f\t%s\n", address, ready, p.Grown("tidemark_records_total")/p.Seconds, max(after-before, 0)/p.Seconds, flush,
			p.After.Sum("tidemark_source_windows"), p.Grown("process_cpu_seconds_total")/p.Seconds, size(uint64(p.After.Sum("process_resident_memory_bytes"))))
	}
	fmt.Fprintln(w)
}

func frameRaw(w *tabwriter.Writer, f *Facts) {
	if f.Raw == nil {
		return
	}
	fmt.Fprintf(w, "RAW TOPIC\tWAITING\tOLDEST\tgroup %s: %s, %s\n", f.Raw.Group.Name, f.Raw.Group.State, preflight.Count(f.Raw.Group.Members, "member"))
	for _, t := range f.rawWaits() {
		fmt.Fprintf(w, "%s\t%d\t%s\t\n", t.name, t.records, ago(t.seconds))
	}
	fmt.Fprintln(w)
}

func frameTopics(w *tabwriter.Writer, f *Facts) {
	all := Watermarks(f)
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, "TOPIC\tCOMPLETE TO\tAGE\tBECAUSE")
	for _, m := range all {
		to, age := "-", "-"
		if m.Age > 0 {
			to, age = m.To.UTC().Format(time.RFC3339), ago(float64(int(m.Age)))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.Topic, to, age, m.Why)
	}
	fmt.Fprintln(w)
}

func frameStore(w *tabwriter.Writer, f *Facts) {
	for _, s := range f.Servers {
		if s.Error != "" {
			what := "does not answer"
			if strings.Contains(s.Error, refusedLogin) {
				what = "refuses the login"
			}
			fmt.Fprintf(w, "clickhouse %s %s: %s\n", s.Addr, what, firstLine(s.Error))
			continue
		}
		var worst Parts
		if len(s.Parts) > 0 {
			worst = s.Parts[0]
		}
		var disks []string
		for _, d := range s.Disks {
			disks = append(disks, fmt.Sprintf("%s %.0f %% free", d.Name, 100*float64(d.Free)/float64(d.Total)))
		}
		fmt.Fprintf(w, "clickhouse %s: at most %s a partition (%s), %s, %d delayed, %s\n", s.Addr, preflight.Count(int(worst.Count), "part"), //nolint:gosec // small
			worst.Table, preflight.Count(int(s.Merges), "merge"), s.Delayed, strings.Join(disks, ", ")) //nolint:gosec // small
	}
	if f.Store != nil && len(f.Store.Hot) > 0 {
		var hot []string
		for _, h := range f.Store.Hot {
			hot = append(hot, fmt.Sprintf("%s %d", h.Account, h.Events))
		}
		fmt.Fprintf(w, "events of the last 10 minutes: %s\n", strings.Join(hot, ", "))
	}
	fmt.Fprintln(w)
}

func frameFindings(w *tabwriter.Writer, f *Facts) {
	for _, one := range Diagnose(f) {
		if one.Severity != Note {
			fmt.Fprintf(w, "%s: %s\n", one.Severity, one.Title)
		}
	}
}

func framePartitions(w *tabwriter.Writer, f *Facts, most int) {
	all := f.sources(func(*lag.Source) bool { return true })
	slices.SortStableFunc(all, func(a, b *lag.Source) int {
		return cmp.Or(cmp.Compare(waited(b), waited(a)), cmp.Compare(b.LagRecords, a.LagRecords))
	})
	left := 0
	if most > 0 && len(all) > most {
		all, left = all[:most], len(all)-most
	}
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, "\nPARTITION\tRECORDS/S\tLAG\tWAITING\tWATERMARK\tOWNER\tSTATE")
	for _, s := range all {
		waiting, watermark, rate := "?", "-", "-"
		if s.LagSeconds != nil {
			waiting = ago(*s.LagSeconds)
		}
		if s.Watermark != nil {
			watermark = s.Watermark.Format(time.TimeOnly)
		}
		for i := range f.Processes {
			p := &f.Processes[i]
			labels := []string{"topic", s.Topic, "partition", fmt.Sprint(s.Partition)}
			if grown := p.Grown("tidemark_records_total", labels...); p.Seconds > 0 && p.After.Sum("tidemark_records_total", labels...) > 0 {
				rate = fmt.Sprintf("%.0f", grown/p.Seconds)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", name(s), rate, s.LagRecords, waiting, watermark, cmp.Or(s.Owner, "-"), s.State)
	}
	if left > 0 {
		fmt.Fprintf(w, "and %d more, which are less behind\n", left)
	}
}

// cut takes off what a line of the terminal has no room for, and blanks at its end.
func cut(text string, width int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if runes := []rune(line); width > 0 && len(runes) > width {
			line = string(runes[:width-1]) + "…"
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}
