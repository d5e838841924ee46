package explain

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/schemas"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// readInputs reads the rows of each input, summed up by source.
func (s *session) readInputs(ctx context.Context) error {
	for _, m := range s.inputs {
		in := Input{Metric: m.Name, Formula: formula(s.Catalogue, m)}
		var query string
		var args []any
		in.Table, query, args = s.rowsOf(m)
		err := s.query(ctx, query, args, func(rows driver.Rows) error {
			var r Row
			var applied int64
			if err := rows.Scan(&r.Source, &r.Of, &r.Value, &applied, &r.Unit); err != nil {
				return err
			}
			if applied >= 0 {
				r.AppliedOffset = &applied
			}
			in.Rows = append(in.Rows, r)
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", in.Table, err)
		}
		s.result.Inputs = append(s.result.Inputs, in)
	}
	return nil
}

// rowsOf is the query of an input's rows: source, of what, value, applied offset or -1, and what the value counts.
func (s *session) rowsOf(m schemas.Metric) (table, query string, args []any) {
	window := []any{s.Account, s.Window.Start.Unix(), s.Window.End.Unix()}
	const within = "account_id = ? AND %[1]s >= toDateTime(?, 'UTC') AND %[1]s < toDateTime(?, 'UTC')"
	in := func(column string) string { return fmt.Sprintf(within, column) }
	tier := fmt.Sprintf(" AND tier = '%s'", s.Window.tier)
	switch m.Aggregate {
	case schemas.Count, schemas.Sum, schemas.FeaturesUsed:
		condition, name := "", m.Name
		if m.Aggregate == schemas.FeaturesUsed {
			condition, name = " AND feature != ''", s.featureUses()
		} else if s.By != "" {
			condition, name = " AND feature = ?", m.Name
			window = append(window, s.By)
		}
		return "counters", `SELECT source, feature, sum(v), toInt64(max(a)), 'counted' FROM (
			SELECT source, feature, window_start, max(value) AS v, max(applied_offset) AS a FROM counters
			WHERE ` + in("window_start") + tier + condition + ` AND metric = ? GROUP BY source, feature, window_start)
			GROUP BY source, feature ORDER BY feature, source`, append(window, name)
	case schemas.Distinct, schemas.ActiveDays:
		condition, name, value, unit := "", m.Name, "uniqExact(member)", "users"
		if m.Aggregate == schemas.ActiveDays {
			name, value, unit = "active_users", "uniqExact(window_start)", "days"
		} else if s.By != "" {
			condition = " AND feature = ?"
			window = append(window, s.By)
		}
		return "members", fmt.Sprintf(`SELECT source, feature, %s, toInt64(-1), '%s' FROM members
			WHERE %s%s%s AND metric = ? GROUP BY source, feature ORDER BY feature, source`, value, unit, in("window_start"), tier, condition), append(window, name)
	case schemas.WorkflowRuns, schemas.TicketFacts:
		kind, condition := "ticket", ""
		if m.Aggregate == schemas.WorkflowRuns {
			if kind = "workflow"; s.By != "" {
				condition = " AND entity = ?"
				window = append(window, s.By)
			}
		}
		return "facts", `SELECT source, toString(name), count(), toInt64(max(offset)), 'facts' FROM facts
			WHERE ` + in("at") + condition + ` AND kind = ? GROUP BY source, name ORDER BY name, source`, append(window, kind)
	default: // sessions, session_seconds, active_seconds
		return "user_minutes", `SELECT source, concat(toString(uniqExact(user)), ' users'), uniqExact(user, minute), toInt64(-1), 'minutes' FROM user_minutes
			WHERE ` + in("minute") + ` GROUP BY source ORDER BY source`, window
	}
}

// featureUses is the metric that says that a feature was used.
func (s *session) featureUses() string {
	for _, m := range s.Catalogue.Metrics {
		if m.View == "features" && m.Column == "uses" {
			return m.Name
		}
	}
	return ""
}

// readSources finds the partitions that the rows come from, and how far each has been counted.
func (s *session) readSources(ctx context.Context) error {
	applied := map[string]int64{}
	for _, in := range s.result.Inputs {
		for _, r := range in.Rows {
			offset := int64(-1)
			if r.AppliedOffset != nil {
				offset = *r.AppliedOffset
			}
			if have, ok := applied[r.Source]; !ok || offset > have {
				applied[r.Source] = offset
			}
		}
	}
	for _, source := range sortedKeys(applied) {
		of := Source{Source: source, AppliedOffset: applied[source]}
		if strings.HasPrefix(source, s.Log.Telemetry+"/") {
			// Every event counts in some counter of its window, so the highest of them is beyond every event.
			var last int64
			err := s.conn.QueryRow(ctx, `SELECT toInt64(max(applied_offset)) FROM counters WHERE account_id = ? AND tier = ? AND source = ?
				AND window_start >= toDateTime(?, 'UTC') AND window_start < toDateTime(?, 'UTC')`,
				s.Account, string(s.Window.tier), source, s.Window.Start.Unix(), s.Window.End.Unix()).Scan(&last)
			if err != nil {
				return err
			}
			of.AppliedOffset = max(of.AppliedOffset, last)
		}
		var checkpoint uint64
		var watermark time.Time
		err := s.conn.QueryRow(ctx, "SELECT max(offset), argMax(watermark, offset) FROM checkpoints WHERE source = ?", source).Scan(&checkpoint, &watermark)
		if err != nil {
			return err
		}
		of.Checkpoint, of.Watermark = int64(checkpoint), watermark
		s.result.Sources = append(s.result.Sources, of)
	}
	return nil
}
