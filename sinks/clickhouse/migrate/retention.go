package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

const (
	// margin is how much longer ClickHouse keeps rows than the pipeline folds into them: a row that may still be
	// loaded and amended must not expire meanwhile.
	margin = 48 * time.Hour
	// logRetention is how long checkpoints and dead letters are kept.
	logRetention = 90 * 24 * time.Hour
)

// Retention is how long the pipeline amends the rows of each tier, and readers may count on them. User minutes live as
// long as the hour tier, single facts as long as the day tier.
type Retention struct {
	Minute, Hour, Day time.Duration
}

// DefaultRetention is that of the default configuration: 14 days, 400 days, 5 years.
func DefaultRetention() Retention {
	return Retention{Minute: 336 * time.Hour, Hour: 9600 * time.Hour, Day: 43800 * time.Hour}
}

func (r Retention) validate() error {
	if r.Minute < time.Hour || r.Hour < r.Minute || r.Day < r.Hour {
		return fmt.Errorf("retention minute %s, hour %s, day %s: each must be at least as long as the one before, and an hour at least",
			r.Minute, r.Hour, r.Day)
	}
	return nil
}

// ttl is the TTL clause of each table that has one, in ClickHouse's own spelling.
//
// Of expired checkpoints the last one of each source and generation stays: recovery and reconciliation need it however long a partition
// has been silent.
func (r Retention) ttl() map[string]string {
	return map[string]string{
		"counters_all":     "window_start + " + r.byTier(),
		"member_sets_all":  "window_start + " + r.byTier(),
		"user_minutes_all": "minute + " + hours(r.Hour+margin),
		"facts_all":        "toDateTime(at) + " + hours(r.Day+margin),
		"dead_letters_all": "toDateTime(log_time) + " + hours(logRetention),
		"checkpoints_all": "toDateTime(log_time) + " + hours(logRetention) + " GROUP BY generation, source SET offset = max(offset)" +
			lastOf("received", "applied", "duplicate", "filtered", "dead_lettered", "watermark", "max_event_time", "log_time", "catalogue"),
	}
}

func (r Retention) byTier() string {
	return fmt.Sprintf("toIntervalHour(multiIf(tier = 'minute', %d, tier = 'hour', %d, %d))",
		wholeHours(r.Minute+margin), wholeHours(r.Hour+margin), wholeHours(r.Day+margin))
}

func lastOf(columns ...string) string {
	var b strings.Builder
	for _, c := range columns {
		fmt.Fprintf(&b, ", %s = argMax(%s, offset)", c, c)
	}
	return b.String()
}

func hours(d time.Duration) string { return fmt.Sprintf("toIntervalHour(%d)", wholeHours(d)) }

// wholeHours rounds up: rows may stay longer, never shorter.
func wholeHours(d time.Duration) int64 { return int64((d + time.Hour - 1) / time.Hour) }

// apply sets the TTL of the tables where it differs: setting it anew rewrites the TTL of every part.
func (r Retention) apply(ctx context.Context, db *sql.DB) error {
	for table, ttl := range r.ttl() {
		var engine string
		const query = "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = ?"
		if err := db.QueryRowContext(ctx, query, table).Scan(&engine); err != nil {
			return fmt.Errorf("read the retention of %s: %w", table, err)
		}
		if strings.Contains(engine, " TTL "+ttl+" SETTINGS ") {
			continue
		}
		if _, err := db.ExecContext(ctx, "ALTER TABLE "+table+" MODIFY TTL "+ttl); err != nil {
			return fmt.Errorf("set the retention of %s: %w", table, err)
		}
	}
	return nil
}
