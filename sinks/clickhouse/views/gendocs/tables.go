package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"tidemark/sinks/clickhouse/views"
)

const tablesIntroduction = `# Tables and lineage

Made by ` + "`go generate ./sinks/clickhouse/views`" + ` from the migrations and the views; do not edit. Everything that a view shows comes, by the
tables, from Kafka's topics: topic → table → view → column. What the columns mean stands in [views.md](views.md).

A table that the pipeline writes is called NAME_all and has the rows of every generation of the rollups; NAME is a view of the live one, and
what the views read.
`

// topicsOf are the topics that the rows of a table come from.
var topicsOf = map[string]string{
	"counters": "telemetry", "member_sets": "telemetry", "members": "telemetry", "user_minutes": "telemetry", "user_accounts": "telemetry",
	"facts": "telemetry, tickets, signals", "account_changes": "accounts", "known_accounts": "accounts, telemetry, tickets", "checkpoints": "every topic", "dead_letters": "every topic", "source_progress": "every topic",
	"generations": "none: tidemark rebuild writes it", "portfolio_snapshots": "none: the view portfolio, every hour",
	"portfolio_rows": "none: the view portfolio, every minute", "health_rows": "none: the view health, every ten minutes", "catalogues": "none: tidemark migrate writes it",
	"alert_transitions": "none: tidemark triggers run writes it", "trigger_states": "none: tidemark triggers run writes it", "trigger_leaders": "none: tidemark triggers run writes it",
	"silences": "none: tidemark triggers silence writes it", "tenants": "none: tidemark migrate writes it",
	"deliveries": "none: tidemark triggers run writes it", "delivery_targets": "none: tidemark triggers run writes it",
}

// topicOfKind is the topic that the facts of a kind come from.
func topicOfKind(kind string) string {
	switch kind {
	case "workflow":
		return "telemetry"
	case "ticket":
		return "tickets"
	default:
		return "signals"
	}
}

type table struct{ name, comment, columns string }

var (
	createTable = regexp.MustCompile(`(?s)CREATE TABLE IF NOT EXISTS (\w+)\s*\((.*?)\n\)\n(.*?)COMMENT '((?:[^'\\]|\\.)*)'`)
	tableColumn = regexp.MustCompile(`(?m)^\s+(\w+)\s+(.+?) COMMENT '((?:[^'\\]|\\.)*)'`)
	defaulted   = regexp.MustCompile(` DEFAULT .*$`)
)

// tablesOf reads the tables that there are from the migrations below root.
func tablesOf(root string) ([]table, error) {
	paths, err := filepath.Glob(filepath.Join(root, "sinks/clickhouse/migrate/sql/*.sql"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	byName := map[string]table{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		m := createTable.FindStringSubmatch(string(text))
		if m == nil {
			continue
		}
		name := strings.TrimSuffix(m[1], "_all")
		var columns strings.Builder
		for _, c := range tableColumn.FindAllStringSubmatch(m[2], -1) {
			fmt.Fprintf(&columns, "| %s | %s | %s |\n", c[1], plain(defaulted.ReplaceAllString(c[2], "")), plain(c[3]))
		}
		if was, ok := byName[name]; ok && strings.HasSuffix(m[1], "_all") {
			byName[name] = table{name, was.comment, columns.String()}
			continue
		}
		byName[name] = table{name, m[4], columns.String()}
	}
	delete(byName, "members") // now a view of member_sets
	var out []table
	for _, t := range byName {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b table) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

func plain(s string) string {
	return strings.NewReplacer(`\'`, "'", "|", `\|`).Replace(s)
}

// tablesMarkdown is tables.md.
func tablesMarkdown(root string, all []views.Lineage) (string, error) {
	tables, err := tablesOf(root)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString(tablesIntroduction + "\n## Tables\n\n| table | topics | what it holds | views that read it |\n|---|---|---|---|\n")
	for _, t := range tables {
		var readers []string
		for _, l := range all {
			if slices.Contains(l.Tables, t.name) || t.name == "member_sets" && slices.Contains(l.Tables, "members") {
				readers = append(readers, l.Name)
			}
		}
		topics, ok := topicsOf[t.name]
		if !ok {
			return "", fmt.Errorf("tables.go in gendocs does not say which topics the table %s comes from", t.name)
		}
		fmt.Fprintf(&out, "| [%s](#table-%s) | %s | %s | %s |\n", t.name, strings.ReplaceAll(t.name, "_", "-"), topics, plain(t.comment), strings.Join(readers, ", "))
	}
	out.WriteString("\n## Views\n\n| view | topics | tables | views that it reads | views that read it |\n|---|---|---|---|---|\n")
	for _, l := range all {
		var readers []string
		for _, r := range all {
			if slices.Contains(r.Views, l.Name) {
				readers = append(readers, r.Name)
			}
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", l.Name, strings.Join(topicsOfView(l, all), ", "), strings.Join(l.Tables, ", "), strings.Join(l.Views, ", "), strings.Join(readers, ", "))
	}
	for _, t := range tables {
		fmt.Fprintf(&out, "\n## Table %s\n\n%s\n\n| column | type | meaning |\n|---|---|---|\n%s", strings.ReplaceAll(t.name, "_", "-"), plain(t.comment), t.columns)
	}
	out.WriteString("\n## Columns of the views\n\n| view | column | from |\n|---|---|---|\n")
	for _, l := range all {
		for _, c := range l.Columns {
			fmt.Fprintf(&out, "| %s | %s | %s |\n", l.Name, c.Name, plain(strings.Join(c.From, ", ")))
		}
	}
	return out.String(), nil
}

// topicsOfView are the topics that a view shows, by way of the views that it reads.
func topicsOfView(l views.Lineage, all []views.Lineage) []string {
	seen := map[string]bool{}
	for _, t := range l.Tables {
		switch topic := topicsOf[t]; {
		case t == "facts" && len(l.Kinds) > 0:
			for _, k := range l.Kinds {
				seen[topicOfKind(k)] = true
			}
		case !strings.HasPrefix(topic, "none"):
			for one := range strings.SplitSeq(topic, ", ") {
				seen[one] = true
			}
		}
	}
	for _, of := range all {
		if !slices.Contains(l.Views, of.Name) || of.Name == "completeness" { // of which the row of one topic is read
			continue
		}
		for _, topic := range topicsOfView(of, all) {
			seen[topic] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
