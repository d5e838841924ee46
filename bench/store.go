package main

import (
	"context"
	"fmt"
	"sync"

	"tidemark/sinks/clickhouse"
)

// countingStore counts what the pipeline asks of ClickHouse.
type countingStore struct {
	*clickhouse.Client
	mu sync.Mutex
	traffic
}

// traffic is what a run wrote and loaded.
type traffic struct {
	Rows        int            `json:"rows"`
	RowsByTable map[string]int `json:"rows_by_table"`
	Inserts     int            `json:"inserts"`
	Flushes     int            `json:"flushes"`
	Loads       int            `json:"loads"` // queries for windows that late events need
	Windows     int            `json:"windows_loaded"`
	Parts       int            `json:"parts"` // active at the end
	Bytes       int            `json:"bytes_on_disk"`
	Server      serverEvents   `json:"server"`
}

func (s *countingStore) Write(ctx context.Context, rows *clickhouse.Batch) error {
	s.mu.Lock()
	s.Flushes++
	for table, n := range map[string]int{
		"counters": len(rows.Counters.Value), "member_sets": rows.Members.Members.Rows(), "user_minutes": len(rows.UserMinutes.User),
		"facts": len(rows.Facts.ID), "account_changes": len(rows.AccountChanges.Offset),
		"user_accounts": len(rows.UserAccounts.User), "dead_letters": len(rows.DeadLetters.Offset),
	} {
		if n > 0 {
			s.Inserts++
			s.Rows += n
			s.RowsByTable[table] += n
		}
	}
	s.mu.Unlock()
	return s.Client.Write(ctx, rows)
}

func (s *countingStore) WriteCheckpoints(ctx context.Context, p *clickhouse.Checkpoints) error {
	s.mu.Lock()
	s.Inserts++
	s.mu.Unlock()
	return s.Client.WriteCheckpoints(ctx, p)
}

func (s *countingStore) WindowCounters(ctx context.Context, source string, keys []clickhouse.WindowKey) (*clickhouse.Counters, error) {
	s.mu.Lock()
	s.Loads++
	s.Windows += len(keys)
	s.mu.Unlock()
	return s.Client.WindowCounters(ctx, source, keys)
}

// size adds what the database's tables take.
func (d *database) size(ctx context.Context, t *traffic) error {
	row := d.admin.QueryRowContext(ctx, "SELECT count(), sum(bytes_on_disk) FROM system.parts WHERE active AND database = ?", d.name)
	if err := row.Scan(&t.Parts, &t.Bytes); err != nil {
		return fmt.Errorf("size of %s: %w", d.name, err)
	}
	return nil
}

// serverEvents are what ClickHouse itself counts, of all its work.
type serverEvents struct {
	Inserts       uint64 `json:"inserts"`
	InsertedRows  uint64 `json:"inserted_rows"`
	InsertedBytes uint64 `json:"inserted_bytes"` // uncompressed, in memory
	Received      uint64 `json:"received_bytes"` // from the network
	NewParts      uint64 `json:"new_parts"`      // by inserts
	Merges        uint64 `json:"merges"`
	MergedRows    uint64 `json:"merged_rows"`
	Written       uint64 `json:"written_bytes"` // to files: parts of inserts and of merges
}

// events reads what ClickHouse has counted since it was started.
func (d *database) events(ctx context.Context) (e serverEvents, err error) {
	rows, err := d.admin.QueryContext(ctx, "SELECT event, value FROM system.events")
	if err != nil {
		return e, fmt.Errorf("read system.events: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err tells
	into := map[string]*uint64{
		"InsertQuery": &e.Inserts, "InsertedRows": &e.InsertedRows, "InsertedBytes": &e.InsertedBytes, "NetworkReceiveBytes": &e.Received,
		"MergeTreeDataWriterBlocks": &e.NewParts, "Merge": &e.Merges, "MergedRows": &e.MergedRows,
		"WriteBufferFromFileDescriptorWriteBytes": &e.Written,
	}
	for rows.Next() {
		var name string
		var value uint64
		if err := rows.Scan(&name, &value); err != nil {
			return e, fmt.Errorf("read system.events: %w", err)
		}
		if at := into[name]; at != nil {
			*at = value
		}
	}
	return e, rows.Err()
}

func (e serverEvents) since(before serverEvents) serverEvents {
	return serverEvents{
		e.Inserts - before.Inserts, e.InsertedRows - before.InsertedRows, e.InsertedBytes - before.InsertedBytes, e.Received - before.Received,
		e.NewParts - before.NewParts, e.Merges - before.Merges, e.MergedRows - before.MergedRows, e.Written - before.Written,
	}
}

// verify compares what ClickHouse has with what the records are known to come to.
func (w *written) verify(ctx context.Context, db *database) error {
	t := &w.Truth
	received := uint64(w.Events)
	var r, a, d, f, dead uint64
	row := db.admin.QueryRowContext(ctx, `
SELECT sum(received), sum(applied), sum(duplicate), sum(filtered), sum(dead_lettered) FROM checkpoints
WHERE (source, offset) IN (SELECT source, max(offset) FROM checkpoints GROUP BY source)
  AND startsWith(source, ?)`, w.Topic+"/")
	if err := row.Scan(&r, &a, &d, &f, &dead); err != nil {
		return fmt.Errorf("read checkpoints: %w", err)
	}
	if got, want := [...]uint64{r, a, d, f, dead}, [...]uint64{received, t.Applied, t.Duplicate, t.Filtered, 0}; got != want {
		return fmt.Errorf("wrong result: received, applied, duplicate, filtered and dead-lettered are %d, should be %d", got, want)
	}
	for _, tier := range []string{"minute", "hour", "day"} {
		var events, uses uint64
		row := db.admin.QueryRowContext(ctx, `
SELECT sumIf(v, metric = 'events'), sumIf(v, metric = 'feature_uses') FROM (
  SELECT metric, max(value) AS v FROM counters WHERE tier = ? GROUP BY account_id, window_start, feature, metric, source)`, tier)
		if err := row.Scan(&events, &uses); err != nil {
			return fmt.Errorf("read counters: %w", err)
		}
		if events != t.Events || uses != t.FeatureUses {
			return fmt.Errorf("wrong result: %d events and %d feature uses by %s, should be %d and %d", events, uses, tier, t.Events, t.FeatureUses)
		}
	}
	var minutes, days, spans int
	row = db.admin.QueryRowContext(ctx, `
SELECT uniqExactIf((account_id, window_start, member), tier = 'minute'), uniqExactIf((account_id, window_start, member), tier = 'day'),
  (SELECT uniqExact(account_id, minute, user) FROM user_minutes)
FROM members WHERE metric = 'users'`)
	if err := row.Scan(&minutes, &days, &spans); err != nil {
		return fmt.Errorf("read members: %w", err)
	}
	if minutes != len(t.MinuteUsers) || days != len(t.DayUsers) || spans != len(t.MinuteUsers) {
		return fmt.Errorf("wrong result: %d users by minute, %d by day, %d user minutes; should be %d, %d, %[4]d",
			minutes, days, spans, len(t.MinuteUsers), len(t.DayUsers))
	}
	return nil
}
