package views

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// refreshed is a table that a refreshable materialized view appends to: all that a query shows, again and again. A board reads the
// rows of the latest refresh, which cost it nothing to make.
type refreshed struct {
	table, view, comment string
	every                time.Duration // from the end of a refresh to the next, so that a slow machine refreshes less often; zero: when it is asked for
	partition, keep      string
	columns              []column // computed_at and account_id are the first
	query                string
}

const computedAt = "When the row was computed; the same for all rows of a refresh."

// portfolioNow is the view of what the portfolio said at its last refresh, and what refreshes it.
func (b *builder) portfolioNow() ([]view, error) {
	events, err := b.metricOf("usage", "events", "count")
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(b.made, func(v view) bool { return v.Name == "portfolio" })
	portfolio := b.made[i].Columns
	columns := append([]column{{"computed_at", "DateTime64(3, 'UTC')", "", computedAt + " Telemetry was complete to telemetry_complete_to."}}, portfolio...)
	columns = append(columns,
		column{"events_28d_daily", "Array(UInt64)", "events", "Events of each of the 28 days to the present one, the oldest first, days without any included."},
		column{"health_score", "Nullable(Float64)", "points", "Score of the view health, of health_day; NULL if it is unknown, or health was not computed yet."},
		column{"health_band", "LowCardinality(String)", "", "good, average or poor; empty if the score is unknown."},
		column{"health_change_7d", "Nullable(Float64)", "points", "health_score less that of 7 days before."},
		column{"health_reason", "String", "", "What moved the score in 7 days."},
		column{"health_day", "Nullable(DateTime('UTC'))", "", "Start of the day that health is of, the latest complete one; NULL before health was computed."},
		column{"health_computed_at", "Nullable(DateTime64(3, 'UTC'))", "", "When health was computed, which it is a twelfth as often as the rest; NULL before that."},
		column{"nps_90d", "Nullable(Float64)", "points", "Net promoter score of the last 90 days, today included, as sentiment_90d has it; NULL without answers."},
		column{"nps_responses_90d", "UInt64", "users", "Users whose latest answer counts in nps_90d."})
	data := struct {
		*builder
		Columns, Shown []column
		Events         string
	}{b, portfolio, columns, events}
	query, err := b.render("portfolio_refresh", data)
	if err != nil {
		return nil, err
	}
	b.refreshed = append(b.refreshed, b.healthRows(), refreshed{
		"portfolio_rows", "portfolio_refresh", "What the view portfolio showed at its last refreshes; rows go after two hours. The view portfolio_now reads the last.", b.Refresh, "toStartOfTenMinutes", "2 HOUR", columns, query,
	})
	v, err := b.simple("portfolio_now", "What the view portfolio showed at its last refresh, at computed_at: not live, but read in milliseconds however many accounts there are, filtered and ordered by any column. "+
		"It is refreshed clickhouse.refresh (50 seconds) after the refresh before, and empty until the first one has ended, a minute after tidemark migrate.", columns, "portfolio_now", data)
	return []view{v}, err
}

// never is how far off a refresh is that only comes when it is asked for.
const never = 10 * 365 * 24 * time.Hour

// healthRows are the latest scores of all accounts, for portfolioNow: they change with the day, and cost more than the rest. Without
// a health profile nothing fills them.
func (b *builder) healthRows() refreshed {
	r := refreshed{
		table: "health_rows", view: "health_refresh", comment: "What the view health showed at its last refreshes, for the view portfolio_now; rows go after a day.",
		every: 12 * b.Refresh, partition: "toStartOfDay", keep: "1 DAY", columns: []column{{"computed_at", "DateTime64(3, 'UTC')", "", computedAt}},
	}
	health := healthViews[slices.IndexFunc(healthViews, func(v view) bool { return v.Name == "health" })]
	names := []string{"account_id", "day", "score", "band", "delta_7d", "reason_7d"}
	for _, c := range health.Columns {
		if slices.Contains(names, c.Name) {
			r.columns = append(r.columns, c)
		}
	}
	if len(b.cat.ProfilesInUse()) > 0 {
		r.query = "SELECT now64(3, 'UTC') AS computed_at, " + strings.Join(names, ", ") + " FROM " + b.DB() + ".health"
	}
	return r
}

// tableStatement makes the table. It is not a migration, as its columns are those of views: it is made anew when they change.
func (r refreshed) tableStatement(database string) string {
	columns := make([]string, len(r.columns))
	for i, c := range r.columns {
		columns[i] = fmt.Sprintf("    %s %s COMMENT %s", quoteName(c.Name), c.Type, Quote(c.comment()))
	}
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s.%s
(
%s
)
ENGINE = MergeTree
PARTITION BY %s(computed_at)
ORDER BY (computed_at, account_id)
TTL toDateTime(computed_at) + INTERVAL %s DELETE
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT `, quoteName(database), r.table, strings.Join(columns, ",\n"), r.partition, r.keep)
}

// viewStatement makes the materialized view. One thread leaves the other cores to those who ask; one block is one part, so that
// nobody sees half a refresh.
func (r refreshed) viewStatement(database string) string {
	columns := make([]string, len(r.columns))
	for i, c := range r.columns {
		columns[i] = fmt.Sprintf("    %s %s COMMENT %s", quoteName(c.Name), c.Type, Quote(c.comment()))
	}
	return fmt.Sprintf(`CREATE MATERIALIZED VIEW IF NOT EXISTS %[1]s.%[2]s REFRESH AFTER %[3]d SECOND APPEND TO %[1]s.%[4]s
(
%[5]s
)
EMPTY
AS %[6]s
SETTINGS %[7]s, max_threads = 1, min_insert_block_size_rows = 10000000, min_insert_block_size_bytes = 4000000000
COMMENT `, quoteName(database), r.view, int64(cmp.Or(r.every, never)/time.Second), r.table, strings.Join(columns, ",\n"), r.query, settings)
}

// keep makes a table or a materialized view if there is none like it. One that is made anew misses a turn at most, and a table of
// refreshes its last rows.
func keep(ctx context.Context, db *sql.DB, kind, database, name, statement, about string) error {
	comment := fmt.Sprintf("%s Of statement %016x %s", about, xxhash.Sum64String(statement), mark)
	var is string
	err := db.QueryRowContext(ctx, "SELECT comment FROM system.tables WHERE database = ? AND name = ?", database, name).Scan(&is)
	switch {
	case err == nil && is == comment:
		return nil
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("look for %s: %w", name, err)
	}
	if _, err := db.ExecContext(ctx, "DROP "+kind+" IF EXISTS "+quoteName(database)+"."+name); err != nil {
		return fmt.Errorf("drop %s: %w", name, err)
	}
	if _, err := db.ExecContext(ctx, statement+Quote(comment)); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	return nil
}
