package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	theirs = "account_id IN (SELECT arrayJoin(accounts) FROM (SELECT argMax(accounts, at) AS accounts FROM {database}.tenants WHERE user = currentUser()))"
	hidden = "0" // from every tenant
	shown  = "1" // to every tenant: it has nothing of anybody
)

// policies says of every table, and of every materialized view, as those are read past the policies of their tables, which rows a
// tenant sees. Plain views read with the rights of who asks.
var policies = map[string]string{
	"account_changes_all": theirs,
	"alert_transitions":   theirs,
	"counters_all":        theirs,
	"facts_all":           theirs,
	"health_refresh":      theirs,
	"health_rows":         theirs,
	"known_accounts_all":  theirs,
	"known_by_counters":   theirs,
	"known_by_records":    theirs,
	"known_by_tickets":    theirs,
	"member_sets_all":     theirs,
	"portfolio_refresh":   theirs,
	"portfolio_rows":      theirs,
	"portfolio_snapshots": theirs,
	"portfolio_snapshot":  theirs,
	"silences":            theirs,
	"trigger_states":      theirs,
	"user_accounts_all":   theirs,
	"user_minutes_all":    theirs,

	"catalogues":       hidden, // what is declared may name customers
	"checkpoints_all":  hidden,
	"dead_letters_all": hidden, // keys of anybody's records
	"deliveries":       hidden,
	"delivery_targets": hidden,
	"migrations":       hidden,
	"trigger_leaders":  hidden,

	"generations":         shown, // the views of the live rows read it
	"source_progress_all": shown, // how far the figures are complete

	"tenants": "user = currentUser()",
}

// RowPolicies is the condition on the rows that tenants see, by table. Every table and materialized view of the database has one.
func RowPolicies(database string) map[string]string {
	out := make(map[string]string, len(policies))
	for table, condition := range policies {
		out[table] = strings.ReplaceAll(condition, "{database}", database)
	}
	return out
}

// tenantGrants is what an administrator runs for the tenants. Policies can be made before their tables are.
func tenantGrants(a Accounts) string {
	if len(a.Tenants) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n-- Tenants read the rows of their accounts, which tidemark migrate keeps in the table tenants. Run this before each upgrade as well.\n")
	for _, user := range a.Tenants {
		fmt.Fprintf(&b, "CREATE USER IF NOT EXISTS %[1]s IDENTIFIED WITH sha256_password BY 'CHANGE-ME-%[1]s' DEFAULT DATABASE {database} SETTINGS PROFILE {reader};\n", user)
		fmt.Fprintf(&b, "GRANT SELECT ON {database}.* TO %s;\n", user)
	}
	conditions := RowPolicies(a.Database)
	for _, table := range slices.Sorted(maps.Keys(conditions)) {
		// Where users without a policy see no rows, the others need one too.
		fmt.Fprintf(&b, "CREATE ROW POLICY OR REPLACE everything ON {database}.%s USING 1 TO {migrator}, {writer}, {reader}, {eraser};\n", table)
		fmt.Fprintf(&b, "CREATE ROW POLICY OR REPLACE tenants ON {database}.%s USING %s TO %s;\n", table, conditions[table], strings.Join(a.Tenants, ", "))
	}
	b.WriteString("GRANT SELECT ON system.row_policies TO {migrator};\n")
	return b.String()
}

// tenantsHeld refuses to make tables that tenants would read whole: a row policy must be there before its table.
func tenantsHeld(ctx context.Context, db *sql.DB, tenants map[string][]string) error {
	for _, user := range slices.Sorted(maps.Keys(tenants)) {
		var with []string
		const query = "SELECT arraySort(groupUniqArray(table)) FROM system.row_policies WHERE database = currentDatabase() AND (has(apply_to_list, ?) OR apply_to_all AND NOT has(apply_to_except, ?))"
		if err := db.QueryRowContext(ctx, query, user, user).Scan(&with); err != nil {
			return fmt.Errorf("look for the row policies of the tenant %s: %w", user, err)
		}
		for _, table := range slices.Sorted(maps.Keys(policies)) {
			if !slices.Contains(with, table) {
				return fmt.Errorf("tenant %s: no row policy keeps other accounts' rows of the table %s from it: let an administrator of ClickHouse run what tidemark migrate --print-grants prints, then migrate again",
					user, table)
			}
		}
	}
	return nil
}

// keepTenants notes who sees which accounts, where that has changed; who is no tenant any more sees nothing.
func keepTenants(ctx context.Context, db *sql.DB, tenants map[string][]string) error {
	now := map[string][]string{}
	rows, err := db.QueryContext(ctx, "SELECT user, argMax(accounts, at) FROM tenants GROUP BY user")
	if err != nil {
		return fmt.Errorf("read the tenants: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Its error comes from rows.Err.
	for rows.Next() {
		var user string
		var accounts []string
		if err := rows.Scan(&user, &accounts); err != nil {
			return fmt.Errorf("read the tenants: %w", err)
		}
		now[user] = accounts
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the tenants: %w", err)
	}
	for user := range now {
		if _, kept := tenants[user]; !kept && len(now[user]) > 0 {
			if err := putTenant(ctx, db, user, []string{}); err != nil {
				return err
			}
		}
	}
	for user, accounts := range tenants {
		if before, known := now[user]; known && slices.Equal(before, accounts) {
			continue
		}
		if err := putTenant(ctx, db, user, accounts); err != nil {
			return err
		}
	}
	return nil
}

func putTenant(ctx context.Context, db *sql.DB, user string, accounts []string) error {
	if _, err := db.ExecContext(ctx, "INSERT INTO tenants (user, accounts) SELECT ?, ?", user, accounts); err != nil {
		return fmt.Errorf("note the accounts of the tenant %s: %w", user, err)
	}
	return nil
}
