package clickhouse

import (
	"context"
	"fmt"
)

// Violation is a pair of checkpoints that do not add up: a defect, of Tidemark or of the rows' keeping.
type Violation struct {
	Source   string
	From, To uint64 // offsets of the checkpoints
	What     string
}

// Violations reads what the view accounting finds wrong with the latest checkpoints of all sources, at most a hundred.
func (c *Client) Violations(ctx context.Context) ([]Violation, error) {
	result, err := c.conn.Query(ctx, "SELECT source, from_offset, to_offset, violation FROM accounting ORDER BY ALL LIMIT 100")
	if err != nil {
		return nil, fmt.Errorf("read the view accounting: %w", err)
	}
	defer result.Close() //nolint:errcheck // Err tells
	var all []Violation
	for result.Next() {
		var v Violation
		if err := result.Scan(&v.Source, &v.From, &v.To, &v.What); err != nil {
			return nil, fmt.Errorf("read the view accounting: %w", err)
		}
		all = append(all, v)
	}
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("read the view accounting: %w", err)
	}
	return all, nil
}
