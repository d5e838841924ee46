package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// kafkaEngineSettings are what was tuned of ClickHouse's own way from Kafka to a rollup, and why.
var kafkaEngineSettings = map[string]string{
	"kafka_num_consumers = cores, kafka_thread_per_consumer 1":                             "each consumer parses and inserts by itself: both cores work",
	"kafka_max_block_size and kafka_poll_max_batch_size 131072, kafka_poll_timeout_ms 500": "big inserts, few parts",
	"kafka_flush_interval_ms 2000":                                                         "as often as the others commit",
	"RawBLOB, and one JSONExtract of a tuple of four fields in the view":                   "takes 2.1 CPU µs an event, JSONEachRow into typed columns 2.7 to 3.9, one JSONExtract a field 4.1",
	"view into AggregatingMergeTree, sum and uniqExact of 64-bit hashes of the users":      "exact as the pipeline's; hashes are smaller than names",
	"no fsync_after_insert": "ClickHouse's default; the pipeline's tables have it",
}

// kafkaEngine consumes with ClickHouse's Kafka engine and a materialized view, in the same server as the pipeline's tables.
func (b *bench) kafkaEngine(ctx context.Context, topic *written, run string) (r peerRun, err error) {
	if b.services.kafkaID == 0 {
		return r, errors.New("the embedded Kafka stands in, which ClickHouse's client does not know")
	}
	db, err := b.services.empty(ctx, "tidemark_"+run)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.settle(ctx)) }()
	group := "bench-" + run
	for _, statement := range []string{
		`CREATE TABLE minutes (account_id String, minute DateTime, events SimpleAggregateFunction(sum, UInt64), users AggregateFunction(uniqExact, UInt64))
		 ENGINE = AggregatingMergeTree ORDER BY (account_id, minute)`,
		fmt.Sprintf(`CREATE TABLE queue (value String) ENGINE = Kafka
		 SETTINGS kafka_broker_list = '%s', kafka_topic_list = '%s', kafka_group_name = '%s', kafka_format = 'RawBLOB', kafka_num_consumers = %d, kafka_thread_per_consumer = 1,
		 kafka_max_block_size = 131072, kafka_poll_max_batch_size = 131072, kafka_poll_timeout_ms = 500, kafka_flush_interval_ms = 2000`,
			strings.Join(b.services.brokers, ","), topic.Topic, group, runtime.NumCPU()),
		`CREATE MATERIALIZED VIEW consume TO minutes AS SELECT e.4.1 AS account_id, toStartOfMinute(toDateTime(substring(e.3, 1, 19), 'UTC')) AS minute, count() AS events,
		 uniqExactState(cityHash64(e.2)) AS users
		 FROM (SELECT JSONExtract(value, 'Tuple(type String, userId String, timestamp String, context Tuple(groupId String))') AS e FROM queue)
		 WHERE e.1 IN ('track', 'page') GROUP BY account_id, minute`,
	} {
		if _, err := db.admin.ExecContext(ctx, statement); err != nil {
			return r, fmt.Errorf("%w in %s", err, statement)
		}
	}
	if r, err = b.clocked(ctx, topic, group, b.services.server.PID(), nil); err != nil {
		return r, err
	}
	var events, users uint64
	row := db.admin.QueryRowContext(ctx, "SELECT sum(e), sum(u) FROM (SELECT sum(events) AS e, uniqExactMerge(users) AS u FROM minutes GROUP BY account_id, minute)")
	if err := row.Scan(&events, &users); err != nil {
		return r, fmt.Errorf("read the result: %w", err)
	}
	if events != topic.Truth.WithDuplicates || users != uint64(len(topic.Truth.MinuteUsers)) {
		return r, fmt.Errorf("wrong result: %d events and %d users by minute, should be %d and %d", events, users, topic.Truth.WithDuplicates, len(topic.Truth.MinuteUsers))
	}
	if _, err := db.admin.ExecContext(ctx, "DROP TABLE consume SYNC"); err != nil {
		return r, err
	}
	_, err = db.admin.ExecContext(ctx, "DROP TABLE queue SYNC")
	return r, err
}
