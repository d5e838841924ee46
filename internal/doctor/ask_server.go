package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	store "tidemark/sinks/clickhouse"
)

const (
	// defaultDelay and defaultThrow are ClickHouse's, where the reader may not see its settings.
	defaultDelay = 1000
	defaultThrow = 3000
	// accessDenied is ClickHouse's code for a right that is missing.
	accessDenied = 497
)

// question is a query on one system table, and what to do with each of its rows.
type question struct {
	table string
	query string
	take  func(driver.Rows) error
}

// askServer asks one server how it is.
func askServer(ctx context.Context, c Conn) Server {
	s := Server{Addr: c.Addr, DelayAt: defaultDelay, ThrowAt: defaultThrow}
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	if err := c.Ping(ctx); err != nil {
		s.Error = err.Error()
		return s
	}
	for _, q := range s.questions() {
		err := store.Each(ctx, c.Conn, q.query, q.take)
		var refusal *clickhouse.Exception
		switch {
		case errors.As(err, &refusal) && refusal.Code == accessDenied:
			s.Unknown = append(s.Unknown, q.table)
		case err != nil:
			s.Error = q.table + ": " + err.Error()
			return s
		}
	}
	return s
}

// questions write their answers into s.
func (s *Server) questions() []question {
	return []question{
		{"system.parts", `SELECT table, partition, count(), sum(bytes_on_disk) FROM system.parts
			WHERE active AND database = currentDatabase() GROUP BY table, partition ORDER BY count() DESC, table, partition LIMIT 5`, func(r driver.Rows) error {
			var p Parts
			err := r.Scan(&p.Table, &p.Partition, &p.Count, &p.Bytes)
			s.Parts = append(s.Parts, p)
			return err
		}},
		{"system.merge_tree_settings", `SELECT toUInt64(anyIf(value, name = 'parts_to_delay_insert')), toUInt64(anyIf(value, name = 'parts_to_throw_insert'))
			FROM system.merge_tree_settings`, func(r driver.Rows) error { return r.Scan(&s.DelayAt, &s.ThrowAt) }},
		{"system.merges", `SELECT count(), toFloat64(max(elapsed)) FROM system.merges`, func(r driver.Rows) error { return r.Scan(&s.Merges, &s.LongestMerge) }},
		{"system.mutations", `SELECT table, create_time, latest_fail_reason FROM system.mutations
			WHERE NOT is_done AND latest_fail_reason != '' AND database = currentDatabase() ORDER BY create_time LIMIT 5`, func(r driver.Rows) error {
			var m Mutation
			err := r.Scan(&m.Table, &m.Since, &m.Reason)
			m.Since = m.Since.UTC()
			s.Mutations = append(s.Mutations, m)
			return err
		}},
		{"system.disks", `SELECT name, unreserved_space, total_space FROM system.disks WHERE total_space > 0 ORDER BY name`, func(r driver.Rows) error {
			var d Disk
			err := r.Scan(&d.Name, &d.Free, &d.Total)
			s.Disks = append(s.Disks, d)
			return err
		}},
		{"system.replicas", `SELECT table FROM system.replicas WHERE is_readonly AND database = currentDatabase() ORDER BY table`, func(r driver.Rows) error {
			var table string
			err := r.Scan(&table)
			s.ReadOnly = append(s.ReadOnly, table)
			return err
		}},
		{"system.metrics", `SELECT value FROM system.metrics WHERE metric = 'DelayedInserts'`, func(r driver.Rows) error { return r.Scan(&s.Delayed) }},
		{"system.errors", `SELECT name, toUInt64(sum(value)), max(last_error_time) AS at, argMax(last_error_message, last_error_time) FROM system.errors
			WHERE last_error_time > now() - 3600 AND name IN (` + quoted(worthKnowing) + `) GROUP BY name ORDER BY at DESC`, func(r driver.Rows) error {
			var e ServerError
			err := r.Scan(&e.Name, &e.Count, &e.LastAt, &e.Message)
			e.LastAt = e.LastAt.UTC().Truncate(time.Second)
			s.Errors = append(s.Errors, e)
			return err
		}},
	}
}

// worthKnowing are the errors that say why inserts fail, or that somebody tries to get in. The others are mostly of people's queries.
var worthKnowing = []string{
	"TOO_MANY_PARTS", "NOT_ENOUGH_SPACE", "TABLE_IS_READ_ONLY", "READONLY", "MEMORY_LIMIT_EXCEEDED", "NO_ZOOKEEPER", "KEEPER_EXCEPTION",
	"CANNOT_WRITE_TO_FILE_DESCRIPTOR", "CHECKSUM_DOESNT_MATCH", "TOO_MANY_SIMULTANEOUS_QUERIES", "UNKNOWN_STATUS_OF_INSERT",
	authenticationFailed, wrongPassword, unknownUser,
}

// What ClickHouse calls a login that it refused.
const (
	authenticationFailed = "AUTHENTICATION_FAILED"
	wrongPassword        = "WRONG_PASSWORD"
	unknownUser          = "UNKNOWN_USER"
)

func quoted(names []string) string { return "'" + strings.Join(names, "', '") + "'" }
