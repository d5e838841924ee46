package lag

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/sinks/clickhouse"
)

// Records is what became of the records of a topic: received = applied + duplicate + filtered + dead-lettered.
type Records struct {
	Topic        string `json:"topic"`
	Received     uint64 `json:"received"`
	Applied      uint64 `json:"applied"`
	Duplicate    uint64 `json:"duplicate"`
	Filtered     uint64 `json:"filtered"`
	DeadLettered uint64 `json:"dead_lettered"`
}

// DeadLetters counts the records of a topic that could not be folded for one reason, as far back as they are kept.
type DeadLetters struct {
	Topic  string `json:"topic"`
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}

// A source is topic/partition@topic id, and no topic's name has a slash. The last checkpoint accounts for the whole log.
const (
	selectRecords = `
SELECT splitByChar('/', source)[1] AS topic, sum(last.1), sum(last.2), sum(last.3), sum(last.4), sum(last.5)
FROM (SELECT source, argMax((received, applied, duplicate, filtered, dead_lettered), offset) AS last FROM checkpoints GROUP BY source)
GROUP BY topic ORDER BY topic`
	selectDeadLetters = `
SELECT splitByChar('/', source)[1] AS topic, reason, count() FROM dead_letters
GROUP BY topic, reason ORDER BY topic, reason`
)

// ReadStore adds what ClickHouse has of the records. A failure goes into the report: what Kafka said stays worth showing.
func (r *Report) ReadStore(ctx context.Context, conn driver.Conn) {
	if err := r.readStore(ctx, conn); err != nil {
		r.Records, r.DeadLetters, r.ClickHouseError = nil, nil, err.Error()
	}
}

func (r *Report) readStore(ctx context.Context, conn driver.Conn) error {
	r.Records, r.DeadLetters = []Records{}, []DeadLetters{}
	err := clickhouse.Each(ctx, conn, selectRecords, func(rows driver.Rows) error {
		var n Records
		err := rows.Scan(&n.Topic, &n.Received, &n.Applied, &n.Duplicate, &n.Filtered, &n.DeadLettered)
		r.Records = append(r.Records, n)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the checkpoints: %w", err)
	}
	err = clickhouse.Each(ctx, conn, selectDeadLetters, func(rows driver.Rows) error {
		var n DeadLetters
		err := rows.Scan(&n.Topic, &n.Reason, &n.Count)
		r.DeadLetters = append(r.DeadLetters, n)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the dead letters: %w", err)
	}
	return nil
}
