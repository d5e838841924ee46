// Package views makes the views that people and dashboards read, from the catalogue.
//
// A reader of a view needs to know nothing of sources, repeated rows or hashes: values are exact, silent accounts have
// rows of zeros, and what is known of the account is as of the window's end.
package views

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"time"

	"tidemark/schemas"
)

// Options says what the views read.
type Options struct {
	Database string // that of the tables and the views
	Topics   Topics
	// MinuteRetention, HourRetention and DayRetention are how far back the windows of each tier go. User minutes go back as
	// far as hours.
	MinuteRetention, HourRetention, DayRetention time.Duration
	// SnapshotEvery is how often what the portfolio shows is kept, in whole seconds. Zero: every hour.
	SnapshotEvery time.Duration
	// Refresh is how long after portfolio_now was last made it is made anew, in whole seconds. Zero: when it is asked for (SYSTEM REFRESH VIEW).
	Refresh time.Duration
	// Now is the SQL expression of the current time, a DateTime('UTC'). Empty: now('UTC'). Tests give a fixed time.
	Now string
}

// Topics are the Kafka topics that rows come from.
type Topics struct{ Telemetry, Tickets, Accounts, Signals Topic }

// Topic is a Kafka topic, and how far its watermark stays behind its highest event time.
type Topic struct {
	Name     string
	Disorder time.Duration
}

// DefaultTopics are those of the default configuration.
func DefaultTopics() Topics {
	return Topics{
		Telemetry: Topic{"telemetry", 5 * time.Minute}, Tickets: Topic{"tickets", time.Hour}, Accounts: Topic{"accounts", 0}, Signals: Topic{"signals", time.Hour},
	}
}

// mark ends the comment of every view made here, so that one which the catalogue no longer asks for can be told from
// a view that somebody else made.
const mark = "(made by tidemark migrate)"

// settings are those that would change what a query means. Clients send some of them on their own.
const settings = "join_use_nulls = 0, aggregate_functions_null_for_empty = 0, cast_keep_nullable = 0, transform_null_in = 0, " +
	"prefer_column_name_to_alias = 0, final = 0"

// Statements returns the CREATE OR REPLACE VIEW statements in the order in which they must run.
func Statements(cat *schemas.Catalogue, o Options) ([]string, error) {
	all, err := build(cat, o)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = v.statement(o.Database)
	}
	return out, nil
}

// Apply creates or replaces the views and drops those that an earlier catalogue had.
func Apply(ctx context.Context, db *sql.DB, cat *schemas.Catalogue, o Options) error {
	b, err := newBuilder(cat, o)
	if err == nil {
		err = b.build()
	}
	if err != nil {
		return fmt.Errorf("views: %w", err)
	}
	for _, r := range b.refreshed {
		if err := keep(ctx, db, "TABLE", o.Database, r.table, r.tableStatement(o.Database), r.comment); err != nil {
			return err
		}
	}
	wanted, snapshot := map[string]bool{}, ""
	for _, v := range b.made {
		wanted[v.Name] = true
		if v.Name == "portfolio" {
			snapshot = o.snapshot(v)
		}
		if _, err := db.ExecContext(ctx, v.statement(o.Database)); err != nil {
			return fmt.Errorf("create the view %s: %w", v.Name, err)
		}
	}
	if err := keep(ctx, db, "VIEW", o.Database, snapshotName, snapshot, "Appends what the view portfolio shows to portfolio_snapshots."); err != nil {
		return err
	}
	for _, r := range b.refreshed {
		if r.query == "" {
			continue
		}
		if err := keep(ctx, db, "VIEW", o.Database, r.view, r.viewStatement(o.Database), "Appends to "+r.table+"."); err != nil {
			return err
		}
	}
	made, err := existing(ctx, db, o.Database)
	if err != nil {
		return fmt.Errorf("list the views: %w", err)
	}
	for _, name := range made {
		if wanted[name] {
			continue
		}
		if _, err := db.ExecContext(ctx, "DROP VIEW IF EXISTS "+quoteName(o.Database)+"."+quoteName(name)); err != nil {
			return fmt.Errorf("drop the obsolete view %s: %w", name, err)
		}
	}
	return nil
}

func existing(ctx context.Context, db *sql.DB, database string) ([]string, error) {
	const query = "SELECT name FROM system.tables WHERE database = ? AND engine = 'View' AND endsWith(comment, ?)"
	rows, err := db.QueryContext(ctx, query, database, mark)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it.
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// view is a view to be made.
type view struct {
	Name    string
	Comment string
	Columns []column
	Query   string

	// sliced is the query of only those windows whose last day has an age in these slices, with the named columns at least; nil if
	// there is none.
	sliced func([]slice, []string) (string, error)
}

// column is a column of a view, with the words that explain it.
type column struct {
	Name, Type, Unit, Meaning string
}

func (c column) comment() string {
	if c.Unit == "" {
		return c.Meaning
	}
	return c.Meaning + " Unit: " + c.Unit + "."
}

func (v view) statement(database string) string {
	columns := make([]string, len(v.Columns))
	for i, c := range v.Columns {
		columns[i] = fmt.Sprintf("    %s %s COMMENT %s", quoteName(c.Name), c.Type, Quote(c.comment()))
	}
	return fmt.Sprintf("CREATE OR REPLACE VIEW %s.%s\n(\n%s\n)\nCOMMENT %s\nAS\n%s\nSETTINGS %s",
		quoteName(database), quoteName(v.Name), strings.Join(columns, ",\n"), Quote(v.Comment+" "+mark), v.Query, settings)
}

// Quote is a text as a literal of SQL.
func Quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func quoteName(s string) string {
	if plainName.MatchString(s) {
		return s
	}
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
