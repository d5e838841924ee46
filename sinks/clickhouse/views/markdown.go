package views

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidemark/schemas"
)

//go:generate go run ./gendocs ../../..

// documented are the options of the views that the pages describe.
func documented() Options {
	return Options{
		Database: "tidemark", Topics: DefaultTopics(), MinuteRetention: 336 * time.Hour, HourRetention: 9600 * time.Hour, DayRetention: 43800 * time.Hour,
	}
}

// Markdown describes every view and its columns: docs/views.md.
func Markdown(cat *schemas.Catalogue) (string, error) {
	all, err := build(cat, documented())
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString(viewsIntroduction)
	out.WriteString("\n| view | what it shows |\n|---|---|\n")
	for _, v := range all {
		fmt.Fprintf(&out, "| [%s](#%s) | %s |\n", v.Name, v.Name, cell(v.Comment))
	}
	for _, v := range all {
		fmt.Fprintf(&out, "\n## %s\n\n%s\n\n| column | type | unit | meaning |\n|---|---|---|---|\n", v.Name, v.Comment)
		for _, c := range v.Columns {
			fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", c.Name, cell(c.Type), cell(c.Unit), cell(c.Meaning))
		}
	}
	return out.String(), nil
}

const viewsIntroduction = `# The views

Made by ` + "`go generate ./sinks/clickhouse/views`" + ` from the catalogue; do not edit. The same words are the ` + "`COMMENT`" + ` of each
view and column in ClickHouse.

- All times are UTC. A window holds the events from window_start, inclusive, to window_end, exclusive, by event time.
- Values are exact, and corrected when late events arrive. ` + "`complete`" + ` says whether the window's events are in.
- Silent accounts have rows of zeros: back to 24 hours by the minute, 62 days by the hour and 400 days by the day; older
  windows have a row where there is data. A removed account has none after its removal.
- What is known of an account (plan, seats, segment) is as of window_end, a change at that very instant included.
- A ratio whose denominator is zero or unknown is NULL, never 0.
- Conditions on account_id and window_start make reading fast. Sessions, and windows of several days, are read in slices by
  age of the window, so a condition on time saves as much as the slices allow: write it with window_start or window_end as such,
  not inside a function. What each view reads and takes is measured in [view-speed.md](view-speed.md).
- A session is a user's events with pauses shorter than the catalogue's session_gap, over midnight too; it counts, with its whole
  length, in the window of its start. Active time counts each pause, up to idle_cap, in the window of the event before it.
`

// MetricsMarkdown describes every metric of the catalogue, with the decision it serves, and says which view and which of the
// tests answers each row of metrics.md: docs/metrics.md.
func MetricsMarkdown(cat *schemas.Catalogue, tests map[int][]string) (string, error) {
	var out strings.Builder
	out.WriteString(metricsIntroduction)
	out.WriteString("\n| metric | where | unit | meaning | how | decision | owner | rows | articles | serves |\n|---|---|---|---|---|---|---|---|---|---|\n")
	uses := cat.Uses()
	for _, m := range cat.Metrics {
		serves := strings.Join(uses[m.Name], ", ")
		if serves == "" {
			serves = "nothing yet: vanity"
		}
		rows, articles := sourcesOf(m.Description)
		fmt.Fprintf(&out, "| %s | %s.%s | %s | %s | %s | %s | %s | %s | %s | %s |\n", m.Name, m.View, m.Column,
			cell(m.Unit), cell(m.Description), cell(how(m)), cell(m.Decision), cell(m.Owner), rows, articles, cell(serves))
	}
	rows, err := rowsMarkdown(cat, tests)
	if err != nil {
		return "", err
	}
	out.WriteString(rows)
	out.WriteString(profilesMarkdown(cat))
	out.WriteString("\n## Meanings of active\n\n| name | events |\n|---|---|\n")
	for _, name := range sorted(cat.ActiveWhen) {
		fmt.Fprintf(&out, "| %s | %s |\n", name, cell(matches(cat.ActiveWhen[name])))
	}
	out.WriteString("\n## Sets of events\n\n| name | events |\n|---|---|\n")
	for _, name := range sorted(cat.Events) {
		fmt.Fprintf(&out, "| %s | %s |\n", name, cell(strings.Join(cat.Events[name], ", ")))
	}
	out.WriteString("\n## Workflows\n\n| name | steps | within | meaning | owner |\n|---|---|---|---|---|\n")
	for _, w := range cat.Workflows {
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", w.Name, cell(strings.Join(w.Steps, " → ")), time.Duration(w.Within), cell(w.Description), cell(w.Owner))
	}
	return out.String(), nil
}

// sourcesOf are the rows of metrics.md that a description names, and the articles of those.
func sourcesOf(description string) (rows, articles string) {
	var numbers, from []string
	for _, n := range RowsIn(description) {
		numbers = append(numbers, strconv.Itoa(n))
		for _, a := range strings.Fields(Rows[n-1].Articles) {
			if !slices.Contains(from, a) {
				from = append(from, a)
			}
		}
	}
	slices.Sort(from)
	return strings.Join(numbers, ", "), strings.Join(from, " ")
}

// profilesMarkdown describes the health profiles.
func profilesMarkdown(cat *schemas.Catalogue) string {
	var out strings.Builder
	out.WriteString("\n## Health profiles\n\nWhat a component is worth, and how the components make a score, is in [health.yaml](../schemas/health.yaml).\n" +
		"An unknown component leaves the score NULL, unless the profile rescales: then it is left out and the others carry its weight.\n" +
		"\n| profile | method | unknown | component | reads | weight |\n|---|---|---|---|---|---|\n")
	for _, p := range cat.Health.Profiles {
		for _, c := range p.Components {
			weight := number(p.Full(c))
			if c.Group != "" {
				weight += " of " + c.Group + " " + number(p.Groups[c.Group])
			}
			if p.Method == schemas.Banded {
				weight = ""
			}
			unknown := p.Unknown
			if unknown == "" {
				unknown = schemas.UnknownIsNull
			}
			fmt.Fprintf(&out, "| %s | %s | %s | %s: %s | `%s` | %s |\n", p.Name, p.Method, unknown, c.Name, cell(c.Description), cell(c.Value), weight)
		}
	}
	return out.String()
}

const metricsIntroduction = `# The metrics

Made by ` + "`go generate ./sinks/clickhouse/views`" + ` from [the catalogue](../schemas/catalogue.yaml); do not edit. "where" is the family
of views and the column: ` + "`usage.events`" + ` is the column events of usage_minute, usage_hour, usage_day, usage_7d and usage_28d.
"metrics.md row n" refers to the list of what customer success needs to know, from which the catalogue is made. "serves" names the
health profiles, goals and targets that the metric is part of; one that serves nothing is vanity, however much it is looked at.
`

// how says in words what a metric's value is made of.
func how(m schemas.Metric) string {
	switch m.Aggregate {
	case schemas.Count:
		return "count of " + matches(m.Match)
	case schemas.Sum:
		return "sum of " + m.Of + " of " + matches(m.Match)
	case schemas.Distinct:
		return "distinct users of " + matches(m.Match)
	case schemas.Derived:
		return "`" + m.SQL + "`"
	default:
		return strings.ReplaceAll(string(m.Aggregate), "_", " ")
	}
}

func matches(m schemas.Match) string {
	var parts []string
	add := func(format string, values []string) {
		if len(values) > 0 {
			parts = append(parts, fmt.Sprintf(format, strings.Join(values, ", ")))
		}
	}
	add("%s", m.Type)
	if m.Active != "" {
		parts = append(parts, "active: "+m.Active)
	}
	add("named %s", m.Event)
	add("not named %s", m.NotEvent)
	for _, w := range m.Where {
		switch {
		case w.Exists != nil && *w.Exists:
			parts = append(parts, w.Property+" given")
		case w.Exists != nil:
			parts = append(parts, w.Property+" absent")
		default:
			add(w.Property+" one of %s", w.In)
			add(w.Property+" none of %s", w.NotIn)
		}
	}
	return strings.Join(parts, "; ")
}

// cell escapes what would end a cell of a table.
func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ") }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
