package recount

import (
	"context"
	"fmt"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// compareCheckpoints checks that the last checkpoint of every source accounts
// for its whole log, and that received = applied + duplicate + filtered +
// dead-lettered in every checkpoint ever written.
func compareCheckpoints(ctx context.Context, conn driver.Conn, result *Result) ([]Difference, error) {
	rows, err := conn.Query(ctx, `SELECT source, offset, received, applied, duplicate, filtered, dead_lettered
		FROM checkpoints ORDER BY source, offset`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var differences []Difference
	got, last := map[Cell]string{}, map[string]int64{}
	for rows.Next() {
		var source string
		var offset uint64
		var v Verdicts
		if err := rows.Scan(&source, &offset, &v.Received, &v.Applied, &v.Duplicate, &v.Filtered, &v.DeadLettered); err != nil {
			return nil, err
		}
		source = canonicalSource(source)
		if sum := v.Applied + v.Duplicate + v.Filtered + v.DeadLettered; sum != v.Received {
			differences = append(differences, Difference{
				Cell: Cell{Table: "checkpoints", Metric: fmt.Sprintf("sum of verdicts at offset %d", offset), Source: source},
				Want: strconv.FormatUint(v.Received, 10), Got: strconv.FormatUint(sum, 10),
			})
		}
		last[source] = int64(offset)
		addCheckpoint(got, source, v) // the later offset replaces the earlier
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	want := checkpointCells(result)
	dropCompacted(result, want, got)
	for source, v := range result.Sources {
		if at := last[source]; at < v.Next || at > v.End {
			differences = append(differences, Difference{
				Cell: Cell{Table: "checkpoints", Metric: "offset", Source: source},
				Want: fmt.Sprintf("%d to %d", v.Next, v.End), Got: strconv.FormatInt(at, 10),
			})
		}
	}
	return append(differences, Diff(want, got)...), nil
}
