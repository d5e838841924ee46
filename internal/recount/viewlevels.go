package recount

import (
	"context"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// compareDimension checks what the daily view says of the accounts themselves:
// what was known at the end of each day.
func compareDimension(ctx context.Context, conn driver.Conn, r *Result) ([]Difference, error) {
	names := []string{"name", "plan", "segment", "stage", "owner", "seats", "mrr"}
	return compareLevels(ctx, conn, "usage_day", `SELECT account_id, window_end, arrayMap(x -> ifNull(x, ''),
		[account_name, plan, segment, stage, owner, toString(seats), toString(mrr)]) FROM usage_day`, names,
		func(account string, end int64) []string {
			known := r.AccountAsOf(account, end)
			values := make([]string, len(names))
			for i, name := range names {
				values[i] = known[name]
			}
			return values
		})
}

// compareBacklog checks how many tickets were open at the end of each day.
func compareBacklog(ctx context.Context, conn driver.Conn, r *Result) ([]Difference, error) {
	backlogs := map[int64]map[string]uint64{}
	return compareLevels(ctx, conn, "support_day", "SELECT account_id, window_end, [toString(backlog)] FROM support_day",
		[]string{"backlog"}, func(account string, end int64) []string {
			if backlogs[end] == nil {
				backlogs[end] = r.Backlog(end)
			}
			return []string{strconv.FormatUint(backlogs[end][account], 10)}
		})
}

// compareLevels compares each row of a query (account, instant, values) with
// what want says of that account at that instant.
func compareLevels(
	ctx context.Context, conn driver.Conn, view, query string, names []string, want func(account string, at int64) []string,
) ([]Difference, error) {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var differences []Difference
	for rows.Next() {
		var account string
		var at time.Time
		var got []string
		if err := rows.Scan(&account, &at, &got); err != nil {
			return nil, err
		}
		for i, value := range want(account, at.UnixMilli()) {
			if value != got[i] {
				differences = append(differences, Difference{
					Cell: Cell{Table: view, Account: account, Tier: Day, Window: at.UnixMilli(), Metric: names[i]}, //nolint:gosec // names are as many as values
					Want: value, Got: got[i],
				})
			}
		}
	}
	return differences, rows.Err()
}
