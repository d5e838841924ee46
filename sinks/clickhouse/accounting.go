package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Violation is a pair of checkpoints that do not add up: a defect, of Tidemark or of the rows' keeping.
type Violation struct {
	Source   string
	From, To uint64 // offsets of the checkpoints
	What     string
}

// Violations reads what the view accounting finds wrong with the latest checkpoints of all sources, at most a hundred.
func (c *Client) Violations(ctx context.Context) ([]Violation, error) {
	var all []Violation
	const query = "SELECT source, from_offset, to_offset, violation FROM accounting ORDER BY ALL LIMIT 100"
	err := Each(ctx, c.conn, query, func(rows driver.Rows) error {
		var v Violation
		err := rows.Scan(&v.Source, &v.From, &v.To, &v.What)
		all = append(all, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the view accounting: %w", err)
	}
	return all, nil
}
