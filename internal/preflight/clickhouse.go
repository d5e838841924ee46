package preflight

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
)

// ClickHouse is one server as its three roles see it.
type ClickHouse struct {
	Addr                     string // for messages
	Database                 string
	Durability               Durability
	Migrator, Writer, Reader Role
	DB                       *sql.DB // as the migrator
}

// Role is a login to ClickHouse.
type Role struct {
	Key    string // of the configuration, such as clickhouse.writer
	User   string
	Client *clickhouse.Client
}

// wantVersion is the oldest ClickHouse that is tested with.
const wantVersion = "25.8"

// Check looks at the server, its tables and the rights of the roles.
func (c *ClickHouse) Check(ctx context.Context) []Finding {
	var f findings
	reached := map[string]bool{}
	for _, r := range []Role{c.Migrator, c.Writer, c.Reader} {
		reached[r.Key] = c.login(ctx, &f, r)
	}
	for _, r := range []Role{c.Writer, c.Reader, c.Migrator} {
		if reached[r.Key] {
			c.server(ctx, &f, r.Client.Conn())
			break
		}
	}
	if reached[c.Migrator.Key] && !c.migrated(ctx, &f) {
		return f // the rest would only say so again
	}
	if reached[c.Writer.Key] {
		c.tables(ctx, &f)
	}
	c.rights(ctx, &f, reached)
	return f
}

// login checks that the role reaches its database.
func (c *ClickHouse) login(ctx context.Context, f *findings, r Role) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var user string
	err := r.Client.Conn().QueryRow(ctx, "SELECT currentUser()").Scan(&user)
	var v *Violation
	switch refusal := refused(err); {
	case err == nil:
		f.ok(r.Key, "%s reached %s", user, c.Addr)
	case errors.As(refusal, &v):
		f.error(r.Key, "", "%s at %s: %v", r.User, c.Addr, v)
	default:
		f.error(r.Key, "start ClickHouse (tidemark dev clickhouse is one for development), or set clickhouse.addr, protocol and tls",
			"%s does not reach %s: %v", r.User, c.Addr, err)
	}
	return err == nil
}

// server checks the version and the clock.
func (c *ClickHouse) server(ctx context.Context, f *findings, conn driver.Conn) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	const subject = "clickhouse"
	var version string
	var now time.Time
	asked := time.Now()
	if err := conn.QueryRow(ctx, "SELECT version(), now64(3, 'UTC')").Scan(&version, &now); err != nil {
		f.error(subject, "", "it does not tell its version and time: %v", err)
		return
	}
	if older(version, wantVersion) {
		f.error(subject, "upgrade it to "+wantVersion+" or later", "%s is version %s", c.Addr, version)
	} else {
		f.ok(subject, "%s is version %s", c.Addr, version)
	}
	judgeClock(f, now.Sub(asked), time.Since(asked))
}

const (
	// smallSkew is what synchronised clocks may differ by.
	smallSkew = time.Second
	// largeSkew is where figures become misleading: views end at ClickHouse's now, freshness is measured by both clocks.
	largeSkew = time.Minute
)

// judgeClock judges a clock that was ahead by some time of one's own at the start of a question that took some time.
func judgeClock(f *findings, ahead, took time.Duration) {
	const subject = "clock"
	const fix = "synchronise the clocks of this machine, of ClickHouse's and of Kafka's (chrony or ntpd)"
	// The server's answer was made at some time between question and answer.
	skew := max(ahead-took, -ahead, 0)
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	switch {
	case skew > largeSkew:
		f.error(subject, fix, "ClickHouse's is %s %s this machine's", skew.Round(time.Second), direction)
	case skew > smallSkew:
		f.warning(subject, fix, "ClickHouse's is %s %s this machine's", skew.Round(100*time.Millisecond), direction)
	default:
		f.ok(subject, "ClickHouse's agrees with this machine's")
	}
}

// older compares versions such as 25.8.3.66 by their first two numbers.
func older(version, than string) bool {
	var major, minor, wantMajor, wantMinor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return true
	}
	if _, err := fmt.Sscanf(than, "%d.%d", &wantMajor, &wantMinor); err != nil {
		return true
	}
	return major < wantMajor || major == wantMajor && minor < wantMinor
}

// migrated checks that tidemark migrate has nothing left to do to the tables.
func (c *ClickHouse) migrated(ctx context.Context, f *findings) bool {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	const subject, fix = "migrations", "run tidemark migrate"
	var known uint64
	// Asked first, because asking for the status makes the table of versions.
	err := c.DB.QueryRowContext(ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'migrations'").Scan(&known)
	if err == nil && known == 0 {
		f.error(subject, fix, "the database %s has no tables of Tidemark's", c.Database)
		return false
	}
	var states []migrate.State
	if err == nil {
		states, err = migrate.Status(ctx, c.DB)
	}
	if err != nil {
		f.error(subject, "", "%v", err)
		return false
	}
	var pending []string
	for _, s := range states {
		if !s.Applied {
			pending = append(pending, s.Name)
		}
	}
	if len(pending) > 0 {
		f.error(subject, fix, "%d of %d are missing: %s", len(pending), len(states), strings.Join(pending, ", "))
		return false
	}
	f.ok(subject, "all %d are applied", len(states))
	return true
}

// tables checks that what the invariants stand on holds, and that nobody reads superseded rows.
func (c *ClickHouse) tables(ctx context.Context, f *findings) {
	const subject = "tables"
	conn := c.Writer.Client.Conn()
	err := Invariants(ctx, conn, c.Durability)
	if err == nil {
		f.ok(subject, "inserts are durable, reads see them, rows merge by their keys")
	} else {
		for _, e := range unjoin(err) {
			f.error(subject, "", "%v", e)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	err = clickhouse.Each(ctx, conn, `SELECT name, arrayJoin(dependencies_table) FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'`,
		func(rows driver.Rows) error {
			var name, view string
			if err := rows.Scan(&name, &view); err != nil || slices.Contains(noting, view) {
				return err
			}
			f.warning(subject, "make "+view+" a view, or a refreshable materialized view, over the views of Tidemark",
				"the materialized view %s reads inserts into %s, and so counts rows again that a later insert supersedes", view, name)
			return nil
		})
	if err != nil {
		f.error(subject, "", "list materialized views: %v", err)
	}
}

// noting are Tidemark's own materialized views: what they note is a lowest or highest time, which no repeated or superseded row changes.
var noting = []string{"known_by_counters", "known_by_records", "known_by_tickets"}

// unjoin returns the errors that errors.Join put together.
func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
