package preflight

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	store "tidemark/sinks/clickhouse"
)

// Violation is a set-up in which rows would be lost or counted wrong, or that nobody could write to. Waiting does not
// help; its text says what does.
type Violation struct{ Reason string }

// Error makes the reason printable.
func (v *Violation) Error() string { return v.Reason }

func violation(format string, args ...any) error { return &Violation{fmt.Sprintf(format, args...)} }

// Durability is what the configuration promises about ClickHouse's acknowledgements.
type Durability struct {
	Addresses int    // of clickhouse.addr
	Quorum    string // clickhouse.insert_quorum
}

// Invariants checks, as the role writer, that acknowledged inserts are durable, that later reads see them, and that rows
// merge by their keys (docs/design.md, invariants 2 to 4). What breaks them is joined as Violations; any other error means
// that ClickHouse could not be asked yet. With several addresses ask each.
func Invariants(ctx context.Context, conn driver.Conn, d Durability) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	actual, err := readTables(ctx, conn)
	if err != nil {
		return refused(err)
	}
	var errs []error
	replicated := false
	for _, want := range rollupTables {
		is, ok := actual[want.name]
		if !ok {
			errs = append(errs, violation("the table %s is missing, or hidden from the writer; run tidemark migrate", want.name))
			continue
		}
		replicated = replicated || is.shared()
		errs = append(errs, want.compare(is, d)...)
	}
	if len(errs) == 0 && replicated {
		errs = append(errs, sequentialReads(ctx, conn))
	}
	return errors.Join(errs...)
}

// table is what matters about a table.
type table struct {
	name       string
	engine     string // without a prefix such as Replicated
	sortingKey string
	version    string // column by which ReplacingMergeTree chooses a row; empty: the last one inserted
	prefix     string // Replicated, Shared or none
	settings   map[string]string
}

// rollupTables are the tables that the pipeline and rebuilds write, as the migrations make them.
var rollupTables = []table{
	{name: "counters_all", engine: "AggregatingMergeTree", sortingKey: "generation, tier, account_id, window_start, feature, metric, source"},
	{name: "member_sets_all", engine: "AggregatingMergeTree", sortingKey: "generation, tier, account_id, window_start, feature, metric, source"},
	{name: "user_minutes_all", engine: "AggregatingMergeTree", sortingKey: "generation, account_id, toDate(minute), user, minute, source"},
	{name: "facts_all", engine: "ReplacingMergeTree", sortingKey: "generation, kind, account_id, entity, at, name, user, id, source", version: "offset"},
	{name: "account_changes_all", engine: "ReplacingMergeTree", sortingKey: "generation, account_id, valid_from, source, offset"},
	{name: "known_accounts_all", engine: "AggregatingMergeTree", sortingKey: "generation, account_id"},
	{name: "user_accounts_all", engine: "ReplacingMergeTree", sortingKey: "generation, source, user, offset"},
	{name: "checkpoints_all", engine: "ReplacingMergeTree", sortingKey: "generation, source, offset"},
	{name: "dead_letters_all", engine: "ReplacingMergeTree", sortingKey: "generation, source, offset"},
	{name: "source_progress_all", engine: "ReplacingMergeTree", sortingKey: "generation, source", version: "observed_at"},
	{name: "generations", engine: "ReplacingMergeTree", sortingKey: "at, generation, state"},
}

// durable are the settings that make an acknowledged insert survive a power cut. The server's defaults do not.
var durable = []string{"fsync_after_insert", "fsync_part_directory"}

// shared says whether other servers have the table's rows as well.
func (t table) shared() bool { return t.prefix != "" }

// compare returns how a table of the database breaks what is wanted.
func (t table) compare(is table, d Durability) []error {
	var errs []error
	if is.engine != t.engine {
		errs = append(errs, violation("the table %s has the engine %s%s, which does not merge rows as they are written for; "+
			"it must be %s, or Replicated%[4]s: move the rows to such a table", t.name, is.prefix, is.engine, t.engine))
		return errs
	}
	if is.sortingKey != t.sortingKey || is.version != t.version {
		errs = append(errs, violation("the table %s is sorted by (%s) and versioned by (%s), so that rows would merge that are not the same, or to the wrong one; "+
			"it must be sorted by (%s) and versioned by (%s): move the rows to such a table", t.name, is.sortingKey, is.version, t.sortingKey, t.version))
	}
	for _, name := range durable {
		if is.prefix != "Shared" && is.settings[name] != "1" { // Shared tables lie in object storage
			errs = append(errs, violation("the table %s has %s = %s, so that an acknowledged insert may vanish when the power fails; "+
				"run ALTER TABLE %[1]s MODIFY SETTING %[2]s = 1", t.name, name, is.settings[name]))
		}
	}
	switch {
	case is.shared() && !quorum(d.Quorum):
		errs = append(errs, violation("the table %s is %s%s, but clickhouse.insert_quorum is %q: a replica could acknowledge an insert that no other has, "+
			"and a load from another would miss it; set clickhouse.insert_quorum to auto", t.name, is.prefix, is.engine, d.Quorum))
	case !is.shared() && d.Addresses > 1:
		errs = append(errs, violation("clickhouse.addr names %d servers, but the table %s is not replicated: each would get a part of the rows, "+
			"and loads would miss the others; give one address, or make the tables Replicated and set clickhouse.insert_quorum to auto", d.Addresses, t.name))
	}
	return errs
}

// quorum says whether ClickHouse waits for a second replica: it ignores a quorum of 1.
func quorum(setting string) bool { return setting != "" && setting != "0" && setting != "1" }

var (
	enginePrefix  = regexp.MustCompile(`^(Replicated|Shared)`)
	engineVersion = regexp.MustCompile(`^\w+\((?:'[^']*',? ?)*(\w*)\)`) // after a replicated table's path and replica
	engineSetting = regexp.MustCompile(`(\w+) = ([^,]+)`)
)

// readTables reads what matters about the rollup tables of the current database. Others are not asked for: to say what engine the views have, ClickHouse
// writes out the text of each.
func readTables(ctx context.Context, conn driver.Conn) (map[string]table, error) {
	defaults := map[string]string{}
	// Settings of the server, which hold where a table says nothing.
	err := store.Each(ctx, conn, `SELECT name, value FROM system.merge_tree_settings WHERE has({names:Array(String)}, name)`, func(rows driver.Rows) error {
		var name, value string
		err := rows.Scan(&name, &value)
		defaults[name] = value
		return err
	}, clickhouse.Named("names", durable))
	if err != nil {
		return nil, fmt.Errorf("read the server's settings of tables: %w", err)
	}
	tables := map[string]table{}
	names := make([]string, len(rollupTables))
	for i := range rollupTables {
		names[i] = rollupTables[i].name
	}
	err = store.Each(ctx, conn, `SELECT name, engine, engine_full, sorting_key FROM system.tables WHERE database = currentDatabase() AND has({names:Array(String)}, name)`,
		func(rows driver.Rows) error {
			var name, engine, full, key string
			err := rows.Scan(&name, &engine, &full, &key)
			tables[name] = parseTable(name, engine, full, key, defaults)
			return err
		}, clickhouse.Named("names", names))
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	return tables, nil
}

func parseTable(name, engine, full, key string, defaults map[string]string) table {
	prefix := enginePrefix.FindString(engine)
	t := table{name: name, engine: strings.TrimPrefix(engine, prefix), prefix: prefix, sortingKey: key, settings: maps.Clone(defaults)}
	if m := engineVersion.FindStringSubmatch(full); m != nil {
		t.version = m[1]
	}
	_, settings, _ := strings.Cut(full, " SETTINGS ")
	for _, m := range engineSetting.FindAllStringSubmatch(settings, -1) {
		t.settings[m[1]] = m[2]
	}
	return t
}

// sequentialReads checks that a load sees every insert that a quorum has acknowledged.
func sequentialReads(ctx context.Context, conn driver.Conn) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"select_sequential_consistency": 1}))
	err := store.Each(ctx, conn, "SELECT source FROM checkpoints_all LIMIT 1", func(driver.Rows) error { return nil })
	if err != nil {
		return fmt.Errorf("read with select_sequential_consistency: %w", refused(err))
	}
	return nil
}

// ClickHouse's codes of what waiting does not mend.
const (
	unknownDatabase      = 81
	readonly             = 164
	unknownUser          = 192
	settingConstraint    = 452
	accessDenied         = 497
	authenticationFailed = 516
)

// refused makes a Violation of an answer that will be the same next time, and leaves other errors alone.
func refused(err error) error {
	var answer *clickhouse.Exception
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.Code {
	case unknownDatabase:
		return violation("ClickHouse has no database of the name in clickhouse.database; create it, then run tidemark migrate: %v", answer)
	case unknownUser, authenticationFailed:
		return violation("ClickHouse refuses the login; set the user and its password, or password_file, as ClickHouse has them: %v", answer)
	case accessDenied:
		return violation("ClickHouse denies access; grant what is missing: %v", answer)
	case readonly, settingConstraint:
		return violation("ClickHouse refuses a setting that Tidemark needs; take the constraint off the user's profile: %v", answer)
	}
	return err
}
