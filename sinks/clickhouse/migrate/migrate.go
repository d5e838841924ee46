// Package migrate brings a ClickHouse database to the tables and views that this version of Tidemark works with.
//
// Tables are versioned migrations (SQL files, one statement each, as ClickHouse has no transactional DDL; every statement
// can be repeated). How long rows are kept and what the views show are configuration, not versions: they are compared
// with the database and brought up to date on every run.
//
// A cluster (ON CLUSTER, Replicated engines) is not handled yet: run Up on each shard.
package migrate

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"tidemark/schemas"
	"tidemark/sinks/clickhouse/views"
)

//go:embed sql/*.sql
var files embed.FS

// versionTable holds the migrations that were applied.
const versionTable = "migrations"

// Options says what a database must look like.
type Options struct {
	Catalogue *schemas.Catalogue // what the views show; nil: the built-in one
	Retention Retention
	Topics    views.Topics  // where the rows of the tables come from; zero: the default ones
	Now       string        // as in views.Options
	Refresh   time.Duration // as in views.Options
	// Tenants are the users who see some accounts only, and which.
	Tenants map[string][]string
}

// DefaultOptions are those of the default configuration, but that nothing is refreshed by itself.
func DefaultOptions() Options {
	return Options{Retention: DefaultRetention(), Topics: views.DefaultTopics()}
}

// State is one migration and whether the database has it.
type State struct {
	Version   int64
	Name      string
	Applied   bool
	AppliedAt time.Time // zero unless Applied
}

// Up applies the migrations that the database of db lacks, then the retention, then the views. It may be run again, and by
// several processes at once. The account of db needs the rights of the role migrator.
func Up(ctx context.Context, db *sql.DB, o Options) error {
	if err := o.Retention.validate(); err != nil {
		return err
	}
	if err := still(ctx, db); err != nil {
		return err
	}
	if err := tenantsHeld(ctx, db, o.Tenants); err != nil {
		return err
	}
	p, err := provider(db)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	if err != nil && ctx.Err() == nil { // another process may be ahead, and have made a view of a table that is written to here
		_, err = p.Up(ctx)
	}
	if err != nil {
		return fmt.Errorf("migrate ClickHouse: %w", err)
	}
	const comment = "ALTER TABLE " + versionTable + " MODIFY COMMENT 'Versions of the tables: what tidemark migrate has applied.'"
	if _, err := db.ExecContext(ctx, comment); err != nil {
		return fmt.Errorf("comment on %s: %w", versionTable, err)
	}
	if err := o.Retention.apply(ctx, db); err != nil {
		return err
	}
	if err := keepTenants(ctx, db, o.Tenants); err != nil {
		return err
	}
	return o.makeViews(ctx, db)
}

// still refuses to move rows while a pipeline writes to the tables that they are moved from: what it wrote between the copy
// and the change of the name would be lost. A pipeline of then writes to source_progress every 10 seconds at least.
func still(ctx context.Context, db *sql.DB) error {
	var old uint64
	const query = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'source_progress' AND engine != 'View'"
	if err := db.QueryRowContext(ctx, query).Scan(&old); err != nil {
		return fmt.Errorf("look for tables of an older version: %w", err)
	}
	if old == 0 {
		return nil
	}
	var instance string
	err := db.QueryRowContext(ctx, "SELECT instance FROM source_progress WHERE observed_at > now64(3) - toIntervalSecond(30) LIMIT 1").Scan(&instance)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for a pipeline that runs: %w", err)
	}
	return fmt.Errorf("the pipeline %q has written within the last 30 seconds: rows are moved to other tables, so end all pipelines first, and run tidemark migrate half a minute later", instance)
}

func (o Options) makeViews(ctx context.Context, db *sql.DB) error {
	cat := o.Catalogue
	if cat == nil {
		var err error
		if cat, err = schemas.Builtin(); err != nil {
			return err
		}
	}
	if o.Topics == (views.Topics{}) {
		o.Topics = views.DefaultTopics()
	}
	var name string
	if err := db.QueryRowContext(ctx, "SELECT currentDatabase()").Scan(&name); err != nil {
		return fmt.Errorf("ask for the database: %w", err)
	}
	err := views.Apply(ctx, db, cat, views.Options{
		Database: name, Topics: o.Topics, Now: o.Now, Refresh: o.Refresh,
		MinuteRetention: o.Retention.Minute, HourRetention: o.Retention.Hour, DayRetention: o.Retention.Day,
	})
	if err != nil {
		return err
	}
	return keepCatalogue(ctx, db, cat)
}

// Status lists the migrations in order.
func Status(ctx context.Context, db *sql.DB) ([]State, error) {
	p, err := provider(db)
	if err != nil {
		return nil, err
	}
	all, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the state of the migrations: %w", err)
	}
	states := make([]State, len(all))
	for i, s := range all {
		states[i] = State{
			Version: s.Source.Version, Name: s.Source.Path, Applied: s.State == goose.StateApplied, AppliedAt: s.AppliedAt,
		}
	}
	return states, nil
}

func provider(db *sql.DB) (*goose.Provider, error) {
	dir, err := fs.Sub(files, "sql")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(database.DialectClickHouse, db, dir,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	return p, nil
}
