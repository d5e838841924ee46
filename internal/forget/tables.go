package forget

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/pipeline/forgotten"
)

// erasure takes somebody out of a table: rows that meet the condition where are deleted, or those columns of theirs set that set says. The zero
// erasure means that the table has nothing of them.
type erasure struct{ where, set string }

// table says how an account and a user are taken out of a table. {id} is the account, {key} the identity of a user, such as u:ada, {user} its hash.
type table struct{ account, user erasure }

const isAccount = "account_id = {id}"

var ofAccount = table{account: erasure{where: isAccount}}

// tables are all that there are. One that is made later has to be entered here: TestEveryTable sees to that.
var tables = map[string]table{
	// The sums of an account name none of its users.
	"counters_all": ofAccount,
	"member_sets_all": {erasure{where: isAccount},
		erasure{"has(members, {user})", "members = arrayFilter(m -> m != {user}, members)"}},
	"user_minutes_all": {erasure{where: isAccount}, erasure{where: "user = {user}"}},
	"facts_all":        {erasure{where: isAccount}, erasure{where: "user = {user}"}},
	// A tombstone of one of its attributes may have been taken for the end of an account, by a pipeline that had not heard yet.
	"account_changes_all": {account: erasure{where: isAccount + " OR deleted = 1 AND startsWith(account_id, {bar})"}},
	"user_accounts_all":   {erasure{where: isAccount}, erasure{where: "user = {user}"}},
	"known_accounts_all":  {account: erasure{where: isAccount + " OR tupleElement(last_record, 'deleted') = 1 AND startsWith(account_id, {bar})"}},
	// That a record could not be counted stays, by its reason and position: so the books balance.
	"dead_letters_all": {erasure{"key = {id} OR startsWith(key, {bar})", "key = '', detail = ''"},
		erasure{"key = {key} OR startsWith(key, {bar})", "key = '', detail = ''"}},
	"portfolio_snapshots": ofAccount,
	"portfolio_rows":      ofAccount,
	"health_rows":         ofAccount,
	"deliveries":          {account: erasure{where: "alert_id IN {alerts}"}},
	"alert_transitions":   ofAccount,
	"trigger_states":      ofAccount,
	"silences":            ofAccount,
	"tenants":             {account: erasure{"has(accounts, {id})", "accounts = arrayFilter(a -> a != {id}, accounts)"}},

	"checkpoints_all": {}, "source_progress_all": {}, // counts and positions of partitions
	"generations": {}, "catalogues": {}, "trigger_leaders": {}, "delivery_targets": {}, "migrations": {},
}

// requester is a second erasure of facts: a ticket's requester, if that is the user.
var requester = erasure{"kind = 'ticket' AND attributes['requester_id'] = {name}", "attributes = mapFilter((k, v) -> k != 'requester_id', attributes)"}

// step is one erasure of a table, with its values filled in.
type step struct {
	table string
	erasure
}

// steps are what there is to do in ClickHouse. Deliveries know an account by its alerts only, which are looked up before those are deleted.
func (o *Options) steps(ctx context.Context, w Who) ([]step, error) {
	alerts := []string{"''"}
	if !w.User {
		var id string
		rows, err := o.Conn.Query(ctx, "SELECT DISTINCT alert_id FROM alert_transitions WHERE account_id = "+literal(w.ID))
		if err != nil {
			return nil, fmt.Errorf("look up the account's alerts: %w", err)
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			if err := rows.Scan(&id); err != nil {
				return nil, err
			}
			alerts = append(alerts, literal(id))
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	fill := strings.NewReplacer(
		"{id}", literal(w.ID), "{name}", literal(w.ID), "{key}", literal(w.identity()), "{bar}", literal(escape(w.key())+"|"),
		"{user}", strconv.FormatUint(forgotten.User(w.identity()).Hash, 10), "{alerts}", "("+strings.Join(alerts, ", ")+")",
	)
	there, err := present(ctx, o.Conn)
	if err != nil {
		return nil, err
	}
	var all []step
	for _, name := range order() {
		if !slices.Contains(there, name) {
			continue // of a later version than the database
		}
		e := tables[name].account
		if w.User {
			e = tables[name].user
		}
		if e.where != "" {
			all = append(all, step{name, erasure{fill.Replace(e.where), fill.Replace(e.set)}})
		}
		if name == "facts_all" && w.User && !w.Anonymous {
			all = append(all, step{name, erasure{fill.Replace(requester.where), fill.Replace(requester.set)}})
		}
	}
	return all, nil
}

// order is that of the tables' names, but deliveries come before the transitions by which they are found, should all be run again.
func order() []string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(tables)), func(name string) bool { return name == "deliveries" })
	return append([]string{"deliveries"}, names...)
}

// literal is a string in SQL, whatever stands in it.
func literal(s string) string { return "unhex('" + hex.EncodeToString([]byte(s)) + "')" }

// count returns how many rows of every generation a step is about, repeats that are not merged yet included.
func (o *Options) count(ctx context.Context, s step) (n uint64, err error) {
	if err = o.Conn.QueryRow(o.read(ctx), "SELECT count() FROM "+s.table+" WHERE "+s.where).Scan(&n); err != nil {
		err = fmt.Errorf("count the rows of %s: %w", s.table, err)
	}
	return n, err
}

// erase runs a step to its end, on every replica.
func (o *Options) erase(ctx context.Context, s step) error {
	query := "ALTER TABLE " + s.table + " DELETE WHERE " + s.where
	if s.set != "" {
		query = "ALTER TABLE " + s.table + " UPDATE " + s.set + " WHERE " + s.where
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2, "max_execution_time": 0}))
	if err := o.Conn.Exec(ctx, query); err != nil {
		return fmt.Errorf("take it out of %s: %w", s.table, err)
	}
	return nil
}

func (o *Options) read(ctx context.Context) context.Context {
	if !o.Quorum {
		return ctx
	}
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"select_sequential_consistency": 1}))
}

// present returns the tables of the database.
func present(ctx context.Context, conn driver.Conn) (names []string, err error) {
	rows, err := conn.Query(ctx, "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine NOT IN ('View', 'MaterializedView') ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// unknown returns the tables of the database that nothing is known of.
func unknown(ctx context.Context, conn driver.Conn) ([]string, error) {
	names, err := present(ctx, conn)
	return slices.DeleteFunc(names, func(name string) bool { _, ok := tables[name]; return ok }), err
}
