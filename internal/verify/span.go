package verify

import (
	"context"
	"fmt"
	"math"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/internal/recount"
	"tidemark/sinks/clickhouse"
)

// span is the part of a source that is compared: the records of [begin, end)
// count, those of [warm, begin) only warm the duplicate filter.
type span struct {
	recount.Partition
	warm, begin, end int64

	// exactAfter, in Unix ms, is the highest event time before begin: windows
	// that start later hold nothing from before, so their rows must be equal.
	// Rows of older windows hold at least what the range gives.
	exactAfter int64
	notes      []string
}

func (s *span) exact(window int64) bool { return window > s.exactAfter }

// spanOf works out what of a partition can be compared. It returns neither span
// nor reason when there is nothing in it.
func (s *session) spanOf(ctx context.Context, p recount.Partition) (*span, string, error) {
	var checkpoints, older, last, lastOlder uint64
	var catalogue string
	err := s.conn.QueryRow(ctx, `SELECT count(), countIf(catalogue != ?), max(offset), maxIf(offset, catalogue != ?), argMax(catalogue, offset)
		FROM checkpoints WHERE source = ?`, s.opts.Catalogue, s.opts.Catalogue, p.Source).Scan(&checkpoints, &older, &last, &lastOlder, &catalogue)
	if err != nil {
		return nil, "", fmt.Errorf("read the checkpoints: %w", err)
	}
	if p.End, err = s.log.End(ctx, p); err != nil { // after the checkpoints, so that none lies beyond
		return nil, "", err
	}
	switch {
	case p.End == p.Start && (checkpoints == 0 || last == uint64(p.End)): //nolint:gosec // Kafka's offsets are not negative
		return nil, "", nil
	case checkpoints == 0:
		return nil, fmt.Sprintf("it has %d records and no checkpoint: nothing of it is in ClickHouse yet; is tidemark run running?", p.End-p.Start), nil
	case catalogue != s.opts.Catalogue:
		return nil, fmt.Sprintf("the pipeline counts by the catalogue %s, and this command has %s: set pipeline.catalogue to the same file", catalogue, s.opts.Catalogue), nil
	case int64(last) > p.End:
		return nil, fmt.Sprintf("its last checkpoint is at %d and its log ends at %d: records that were counted are gone from Kafka", last, p.End), nil
	}
	sp := &span{Partition: p, begin: p.Start, end: int64(last), exactAfter: math.MinInt64}
	if s.opts.To != nil {
		sp.end = min(sp.end, *s.opts.To)
	}
	if s.opts.From != nil {
		sp.begin = max(sp.begin, *s.opts.From)
	}
	if older > 0 && p.Topic != s.opts.Log.Accounts {
		if err := s.beginAfterCatalogue(ctx, sp, lastOlder); err != nil {
			return nil, "", err
		}
	}
	s.warmUp(sp)
	if sp.begin >= sp.end {
		return nil, "", nil
	}
	return sp, "", s.findExact(ctx, sp)
}

// beginAfterCatalogue begins the span where the present catalogue was in use
// for certain: what was counted by another one can't be counted again.
func (s *session) beginAfterCatalogue(ctx context.Context, sp *span, lastOlder uint64) error {
	var first uint64
	err := s.conn.QueryRow(ctx, "SELECT min(offset) FROM checkpoints WHERE source = ? AND offset > ?", sp.Source, lastOlder).Scan(&first)
	if err != nil {
		return fmt.Errorf("read when the catalogue changed: %w", err)
	}
	if int64(first) > sp.begin {
		sp.begin = int64(first)
		sp.notes = append(sp.notes, fmt.Sprintf("offsets below %d were counted by another catalogue", first))
	}
	return nil
}

// warmUp leaves as many records before the span as the duplicate filter reaches
// back.
func (s *session) warmUp(sp *span) {
	reach := s.opts.Log.Limits.DedupRecords
	if sp.Topic == s.opts.Log.Accounts {
		reach = 0 // accounts have no duplicates
	}
	if sp.Start > 0 && sp.begin < sp.Start+reach {
		if sp.Start+reach < sp.end {
			sp.begin = sp.Start + reach
			sp.notes = append(sp.notes, fmt.Sprintf("the log starts at %d; its first %d offsets only warm up the duplicate filter", sp.Start, reach))
		} else {
			sp.notes = append(sp.notes, fmt.Sprintf("the log starts at %d; a repeat of a record from before that shows as a difference", sp.Start))
		}
	}
	sp.warm = max(sp.Start, sp.begin-reach)
}

// findExact finds the windows that hold nothing from before the span.
func (s *session) findExact(ctx context.Context, sp *span) error {
	if sp.begin == 0 {
		return nil
	}
	err := s.conn.QueryRow(ctx, "SELECT toUnixTimestamp64Milli(argMin(max_event_time, offset)) FROM checkpoints WHERE source = ? AND offset >= ?",
		sp.Source, uint64(sp.begin)).Scan(&sp.exactAfter) //nolint:gosec // not negative
	if err != nil {
		return fmt.Errorf("read the highest event time before offset %d: %w", sp.begin, err)
	}
	return nil
}

// learnUsers tells the fold the accounts of users that were named before the
// span. They come from the table itself: the log may have lost them.
func (s *session) learnUsers(ctx context.Context, sp *span, fold *recount.Fold) error {
	if sp.begin == 0 || sp.Topic != s.opts.Log.Telemetry {
		return nil
	}
	rows, err := s.conn.Query(ctx, "SELECT user, argMax(account_id, offset) FROM user_accounts WHERE source = ? AND offset < ? GROUP BY user",
		sp.Source, uint64(sp.begin)) //nolint:gosec // not negative
	if err != nil {
		return fmt.Errorf("read user_accounts: %w", err)
	}
	defer func() { _ = rows.Close() }()
	n := 0
	for rows.Next() {
		var user uint64
		var account string
		if err := rows.Scan(&user, &account); err != nil {
			return fmt.Errorf("read user_accounts: %w", err)
		}
		fold.Learn(user, account)
		if n++; n > s.opts.MaxRows {
			return &TooManyRowsError{Limit: s.opts.MaxRows}
		}
	}
	return rows.Err()
}

// learnFeatures tells the fold the features of account-days that have as many
// as they may. They come from the table itself, and may be ahead of the span:
// which features a day counts by their names does not depend on that.
func (s *session) learnFeatures(ctx context.Context, sp *span, fold *recount.Fold) error {
	if sp.begin == 0 || sp.Topic != s.opts.Log.Telemetry {
		return nil
	}
	err := clickhouse.Each(ctx, s.conn, `SELECT account_id, toInt64(toUnixTimestamp(window_start)) * 1000, groupUniqArray(feature) AS features
		FROM counters WHERE source = ? AND tier = 'day' AND feature NOT IN ('', ?) GROUP BY account_id, window_start
		HAVING length(features) >= ?`, func(rows driver.Rows) error {
		var account string
		var day int64
		var features []string
		err := rows.Scan(&account, &day, &features)
		fold.Admit(account, day, features)
		return err
	}, sp.Source, recount.Other, s.opts.Log.Limits.Features)
	if err != nil {
		return fmt.Errorf("read the features in counters: %w", err)
	}
	return nil
}
