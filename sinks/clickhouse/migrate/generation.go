package migrate

import (
	"context"
	"database/sql"
	"fmt"
)

// ofGenerations are the tables that have rows of every generation.
var ofGenerations = []string{
	"counters_all", "member_sets_all", "user_minutes_all", "facts_all", "account_changes_all", "user_accounts_all", "known_accounts_all",
	"checkpoints_all", "dead_letters_all", "source_progress_all",
}

// CountRows returns how many rows each generation has in all tables, those that merging will drop included.
func CountRows(ctx context.Context, db *sql.DB) (map[uint16]uint64, error) {
	counts := map[uint16]uint64{}
	for _, table := range ofGenerations {
		if err := countRows(ctx, db, table, counts); err != nil {
			return nil, fmt.Errorf("count the rows of %s: %w", table, err)
		}
	}
	return counts, nil
}

func countRows(ctx context.Context, db *sql.DB, table string, into map[uint16]uint64) error {
	rows, err := db.QueryContext(ctx, "SELECT generation, count() FROM "+table+" GROUP BY generation") //nolint:gosec // the name is of a table of Tidemark's own
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var generation uint16
		var n uint64
		if err := rows.Scan(&generation, &n); err != nil {
			return err
		}
		into[generation] += n
	}
	return rows.Err()
}

// DropGeneration removes the rows of a generation, partition by partition. That it is not the live one is up to the caller.
func DropGeneration(ctx context.Context, db *sql.DB, n uint16) error {
	for _, table := range ofGenerations {
		partitions, err := partitions(ctx, db, table, n)
		if err != nil {
			return fmt.Errorf("list the partitions of generation %d in %s: %w", n, table, err)
		}
		for _, id := range partitions {
			if _, err := db.ExecContext(ctx, "ALTER TABLE "+table+" DROP PARTITION ID '"+id+"'"); err != nil {
				return fmt.Errorf("drop generation %d from %s: %w", n, table, err)
			}
		}
	}
	return nil
}

func partitions(ctx context.Context, db *sql.DB, table string, n uint16) ([]string, error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT DISTINCT _partition_id FROM %s WHERE generation = %d", table, n))
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
