package pages

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tidemark/bench/figures"
)

// sections are those of the page, in order, with their titles.
var sections = []struct{ name, title string }{
	{"throughput", "Throughput"},
	{"peers", "Beside others"},
	{"memory", "Memory"},
	{"freshness", "Freshness"},
	{"recovery", "Recovery"},
	{"catchup", "Catching up"},
	{"processes", "More processes"},
	{"soak", "A day in minutes"},
}

// tables are the goals first, then every section: how it was measured and by which command, and its figures.
func tables(r figures.Report) string {
	var out strings.Builder
	out.WriteString("![Events a second beside others, freshness, and CPU of more processes](performance.svg)\n\n## Goals\n\n| figure | goal | measured | | command |\n|---|---|---|---|---|\n")
	for _, s := range sections {
		section, ok := r[s.name]
		if !ok {
			continue
		}
		for _, f := range section.Figures {
			if f.Goal == nil {
				continue
			}
			aim, verdict, _ := strings.Cut(f.Aim(), ": ")
			fmt.Fprintf(&out, "| %s | %s | %s | %s | `%s` |\n", what(f), aim, spread(f), verdict, section.Command)
		}
	}
	for _, s := range sections {
		if section, ok := r[s.name]; ok {
			out.WriteString(table(s.title, section))
		}
	}
	return out.String()
}

func table(title string, s *figures.Section) string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n## %s\n\n    %s\n\n%s\n", title, s.Command, s.Setup)
	server := ""
	if s.Kafka != "" {
		server = ", " + s.Kafka
	}
	fmt.Fprintf(&out, "Measured %s at commit %s: %s, %d cores%s.\n", s.At.Format("2006-01-02 15:04 UTC"), s.Commit, s.Go, s.CPUs, server)
	out.WriteString("\n| figure | median | min | max |\n|---|---|---|---|\n")
	for _, f := range s.Figures {
		least, most := figures.Short(f.Min), figures.Short(f.Max)
		if f.Min == f.Median && f.Max == f.Median {
			least, most = "", ""
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", what(f), figures.Short(f.Median), least, most)
	}
	if len(s.Settings) > 0 {
		out.WriteString("\n| setting | why |\n|---|---|\n")
		for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
			fmt.Fprintf(&out, "| %s | %s |\n", name, s.Settings[name])
		}
	}
	return out.String()
}

func what(f figures.Figure) string {
	if f.Unit == "" {
		return f.What
	}
	return f.What + ", " + f.Unit
}

func spread(f figures.Figure) string {
	if f.Min == f.Max {
		return figures.Short(f.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", figures.Short(f.Median), figures.Short(f.Min), figures.Short(f.Max))
}
