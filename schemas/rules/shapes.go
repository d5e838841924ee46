package rules

import (
	"maps"
	"slices"
	"strings"
	"time"

	"tidemark/schemas"
)

// Table is a view as it is made: what Load needs to know of it.
type Table struct {
	Name    string
	Columns []TableColumn
}

// TableColumn is a column of a view. Type is ClickHouse's.
type TableColumn struct{ Name, Type string }

const day = 24 * time.Hour

// readable are the views that conditions may read: those with rows of accounts. The rest are lists (sessions, tickets) or are
// of segments and of Tidemark itself.
var readable = func() map[string]Shape {
	out := map[string]Shape{}
	telemetry, tickets, signals := []string{"telemetry"}, []string{"tickets"}, []string{"signals"}
	everything := []string{"telemetry", "tickets", "signals"}
	tumbling := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": day}
	add := func(family, key string, topics []string, windows ...string) {
		for _, w := range windows {
			shape := Shape{Key: key, Topics: topics}
			if size, ok := tumbling[w]; ok {
				shape.Step, shape.Size = size, size
			} else {
				shape.Step, shape.Size = day, days(w)
			}
			out[family+"_"+w] = shape
		}
	}
	add("usage", "", telemetry, "minute", "hour", "day", "7d", "14d", "28d", "30d", "90d")
	add("features", "feature", telemetry, "minute", "hour", "day", "7d", "28d")
	add("workflows", "workflow", telemetry, "hour", "day", "7d", "28d")
	add("support", "", tickets, "minute", "hour", "day", "7d", "28d", "30d")
	add("frequency", "", telemetry, "7d", "28d")
	add("usage_pattern", "", telemetry, "28d")
	add("session_lengths", "", telemetry, "day", "28d")
	add("task_times", "workflow", telemetry, "day", "28d")
	add("ticket_times", "", tickets, "day", "28d")
	add("sentiment", "", signals, "day", "28d", "90d", "365d")
	add("meters", "meter", signals, "day")
	add("adoption", "", telemetry, "28d")
	add("engagement", "", telemetry, "14d")
	add("benchmarks", "", telemetry, "28d")
	add("licences", "", telemetry, "28d")
	add("expansion", "", []string{"accounts"}, "30d", "90d")
	add("account_issues", "tag", tickets, "7d", "28d")
	add("health", "", everything, "day")
	add("health_components", "component", everything, "day")
	periods := Shape{Calendar: true, Topics: signals}
	for _, view := range []string{"meters_week", "meters_month"} {
		periods.Key = "meter"
		out[view] = periods
	}
	out["quotas"] = Shape{Calendar: true, Key: "quota", Topics: telemetry}
	out["account_months"] = Shape{Calendar: true, Topics: []string{"telemetry", "accounts"}}
	out["meters"] = Shape{Key: "meter", Topics: signals}
	out["goals"] = Shape{Key: "goal_id", Topics: []string{"telemetry", "signals"}}
	out["milestones"] = Shape{Key: "milestone", Topics: []string{"telemetry", "signals"}}
	out["onboarding_items"] = Shape{Key: "item", Topics: telemetry}
	for _, view := range []string{"onboarding", "first_value"} {
		out[view] = Shape{Topics: telemetry}
	}
	for _, view := range []string{"portfolio", "health"} {
		out[view] = Shape{Topics: everything}
	}
	return out
}()

func days(window string) time.Duration {
	var n time.Duration
	for _, digit := range strings.TrimSuffix(window, "d") {
		n = 10*n + time.Duration(digit-'0')
	}
	return n * day
}

// growing are the columns of families of views that more events can only raise, beside the catalogue's counts, sums and
// distinct users: sets that only grow, and their ratios to what is known of the account. A missing column can fall as well:
// a late event can join two sessions, move a ticket's opening, or change a customer's latest answer.
var growing = map[string][]string{
	"usage":         {"features_used", "active_days", "seat_utilization"},
	"features":      {"seat_utilization"},
	"support":       {"escalated"},
	"frequency":     {"active_days", "active_users", "active_user_days", "frequency_attainment"},
	"usage_pattern": {"events", "events_7d"},
	"licences":      {"users", "active_users", "seat_utilization", "limit_level"},
	"benchmarks":    {"events", "active_users", "active_days", "features_used", "seat_utilization"},
	"adoption":      {"key_features_adopted", "breadth"},
	"quotas":        {"uses", "utilization", "limit_level"},
	"onboarding":    {"items_done", "progress"},
	"first_value":   {"is_reached"},
}

var shrinking = map[string][]string{"quotas": {"headroom"}, "usage_pattern": {"zero_days"}, "licences": {"seats_unused"}}

// fixed are the columns that say what is known of the account, in whatever view.
var fixed = strings.Fields("account_name name plan segment stage owner seats mrr created_at renewal_at target_days limit quota period known_since external_ids targets attributes" +
	" key_features_entitled seats_before seats_change mrr_before mrr_change starts_at due_at start target items_total")

// column is what a condition can know of a column.
type column struct {
	Type     Type
	Growth   Growth
	Nullable bool
	Unsigned bool
	Of       Type // of the values, where the column is a map
}

// vocabulary are the names that conditions may use.
type vocabulary struct {
	catalogue *schemas.Catalogue
	views     map[string]map[string]column // those of readable that there are, and accounts
}

func newVocabulary(cat *schemas.Catalogue, tables []Table) *vocabulary {
	v := &vocabulary{catalogue: cat, views: map[string]map[string]column{}}
	for _, t := range tables {
		if _, ok := readable[t.Name]; !ok && t.Name != "accounts" {
			continue
		}
		columns := map[string]column{}
		for _, c := range t.Columns {
			if of, ok := columnOf(c.Type); ok && c.Name != "account_id" {
				of.Growth = v.growth(t.Name, c.Name)
				columns[c.Name] = of
			}
		}
		v.views[t.Name] = columns
	}
	return v
}

// growth is what more events do to a column of a view.
func (v *vocabulary) growth(view, name string) Growth {
	family := schemas.Family(view)
	switch {
	case view == "accounts" || slices.Contains(fixed, name):
		return Fixed
	case slices.Contains(growing[family], name):
		return Up
	case slices.Contains(shrinking[family], name):
		return Down
	}
	for _, m := range v.catalogue.Metrics {
		counted := m.Aggregate == schemas.Count || m.Aggregate == schemas.Sum || m.Aggregate == schemas.Distinct
		if m.View == family && counted && (m.Column == name || m.Column+"_previous" == name) {
			return Up
		}
	}
	return Mixed
}

// columnOf reads ClickHouse's type. A date counts as a text: it has no instant.
func columnOf(clickhouse string) (column, bool) {
	var c column
	t := clickhouse
	for {
		inner, low := strings.CutPrefix(t, "LowCardinality(")
		if !low {
			var nullable bool
			if inner, nullable = strings.CutPrefix(t, "Nullable("); !nullable {
				break
			}
			c.Nullable = true
		}
		t = strings.TrimSuffix(inner, ")")
	}
	switch {
	case strings.HasPrefix(t, "UInt") || strings.HasPrefix(t, "Int") || strings.HasPrefix(t, "Float"):
		c.Type, c.Unsigned = Number, strings.HasPrefix(t, "UInt")
	case t == "String" || t == "Date" || strings.HasPrefix(t, "Enum"):
		c.Type = Text
	case t == "Bool":
		c.Type = Bool
	case strings.HasPrefix(t, "DateTime"):
		c.Type = Time
	case t == "Map(String, String)":
		c.Of = Text
	case t == "Map(String, Float64)":
		c.Of = Number
	default:
		return column{}, false
	}
	return c, true
}

func (v *vocabulary) names() []string {
	names := slices.Sorted(maps.Keys(v.views))
	return append(slices.DeleteFunc(names, func(n string) bool { return n == "accounts" }), "account", "calendar")
}
