package clickhouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// WindowKey names a window of an account.
type WindowKey struct {
	AccountID string
	Tier      Tier
	Start     int64 // Unix seconds
}

// selectCounters reads the final rows of counters: merging takes the highest value and offset, so max needs no FINAL. In the
// order of the table's key they need no hash table there, and an account's rows come together.
const selectCounters = `
SELECT toInt8(tier), account_id, toInt64(toUnixTimestamp(window_start)), feature, metric, source, max(value), max(applied_offset)
FROM counters_all WHERE generation = {generation:UInt16} AND source IN {sources:Array(String)} AND `

const groupCounters = ` GROUP BY tier, account_id, window_start, feature, metric, source SETTINGS optimize_aggregation_in_order = 1`

// named is the client's generation as the parameter of a query.
func (c *Client) named() any { return clickhouse.Named("generation", int64(c.generation)) }

// WindowCounters loads the counters of a source in the given windows.
func (c *Client) WindowCounters(ctx context.Context, source string, keys []WindowKey) (*Counters, error) {
	rows := &Counters{}
	all := func(string, int64) *Counters { return rows }
	for _, tier := range Tiers {
		var accounts []string
		var starts []int64
		for _, k := range keys {
			if k.Tier == tier {
				accounts = append(accounts, k.AccountID)
				starts = append(starts, k.Start)
			}
		}
		// In parts, because the keys travel in the query's text.
		const part = 2000
		for len(accounts) > 0 {
			n := min(part, len(accounts))
			if err := c.counters(ctx, []string{source}, tier, all,
				`(account_id, window_start) IN (SELECT arrayJoin(arrayZip({accounts:Array(String)},
				 arrayMap(s -> toDateTime(s, 'UTC'), {starts:Array(Int64)}))))`,
				clickhouse.Named("accounts", accounts[:n]), clickhouse.Named("starts", starts[:n])); err != nil {
				return nil, fmt.Errorf("load %d windows of %s: %w", len(keys), source, err)
			}
			accounts, starts = accounts[n:], starts[n:]
		}
	}
	return rows, nil
}

// counters loads rows of some sources in one tier, each into what of its source and the start of its window returns; nil: nowhere.
func (c *Client) counters(ctx context.Context, sources []string, tier Tier, into func(source string, start int64) *Counters, where string, args ...any) error {
	args = append(args, c.named(), clickhouse.Named("sources", sources), clickhouse.Named("tier", int64(tier)))
	result, err := c.conn.Query(c.LoadContext(ctx), selectCounters+`tier = CAST({tier:Int8}, 'Enum8(\'minute\' = 1, \'hour\' = 2, \'day\' = 3)') AND `+where+groupCounters, args...)
	if err != nil {
		return err
	}
	defer result.Close() //nolint:errcheck // Err tells
	for result.Next() {
		var tier int8
		var account, feature, metric, source string
		var start int64
		var value, applied uint64
		if err := result.Scan(&tier, &account, &start, &feature, &metric, &source, &value, &applied); err != nil {
			return err
		}
		rows := into(source, start)
		if rows == nil {
			continue
		}
		rows.Tier = append(rows.Tier, tier)
		rows.AccountID.appendRun(account)
		rows.WindowStart = append(rows.WindowStart, start)
		rows.Feature.Append(feature)
		rows.Metric.Append(metric)
		rows.Source.appendRun(source)
		rows.Value = append(rows.Value, value)
		rows.AppliedOffset = append(rows.AppliedOffset, applied)
	}
	return result.Err()
}

// UserAccounts loads the accounts that the source's log had given to users before an offset. Users without one are left out.
func (c *Client) UserAccounts(ctx context.Context, source string, users []uint64, before uint64) (map[uint64]string, error) {
	accounts := make(map[uint64]string, len(users))
	for len(users) > 0 {
		n := min(5000, len(users)) // in parts, because the keys travel in the query's text
		result, err := c.conn.Query(c.LoadContext(ctx), `
SELECT user, argMax(account_id, offset) FROM user_accounts_all
WHERE generation = {generation:UInt16} AND source = {source:String} AND user IN {users:Array(UInt64)} AND offset < {before:UInt64} GROUP BY user`,
			c.named(), clickhouse.Named("source", source), clickhouse.Named("users", users[:n]), clickhouse.Named("before", before))
		if err != nil {
			return nil, fmt.Errorf("load the accounts of %d users of %s: %w", len(users), source, err)
		}
		for result.Next() {
			var user uint64
			var account string
			if err = result.Scan(&user, &account); err != nil {
				break
			}
			accounts[user] = account
		}
		if err = errors.Join(err, result.Err(), result.Close()); err != nil {
			return nil, fmt.Errorf("load the accounts of users of %s: %w", source, err)
		}
		users = users[n:]
	}
	return accounts, nil
}

// Checkpoint loads the checkpoint of a source at an offset; found is false when there is none.
func (c *Client) Checkpoint(ctx context.Context, source string, offset uint64) (p Checkpoint, found bool, err error) {
	p.Source = source
	err = c.conn.QueryRow(c.LoadContext(ctx), `
SELECT offset, received, applied, duplicate, filtered, dead_lettered,
       toUnixTimestamp64Milli(watermark), toUnixTimestamp64Milli(max_event_time), toUnixTimestamp64Milli(log_time), catalogue
FROM checkpoints_all WHERE generation = {generation:UInt16} AND source = {source:String} AND offset = {offset:UInt64} LIMIT 1`,
		c.named(), clickhouse.Named("source", source), clickhouse.Named("offset", offset)).
		Scan(&p.Offset, &p.Received, &p.Applied, &p.Duplicate, &p.Filtered, &p.DeadLettered,
			&p.Watermark, &p.MaxEventTime, &p.LogTime, &p.Catalogue)
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("load checkpoint %s at %d: %w", source, offset, err)
	}
	return p, true, nil
}

// LastCheckpoint returns the offset of a source's highest checkpoint; found is false when it has none.
func (c *Client) LastCheckpoint(ctx context.Context, source string) (offset uint64, found bool, err error) {
	var n uint64
	err = c.conn.QueryRow(c.LoadContext(ctx), `SELECT count(), max(offset) FROM checkpoints_all
WHERE generation = {generation:UInt16} AND source = {source:String}`,
		c.named(), clickhouse.Named("source", source)).Scan(&n, &offset)
	if err != nil {
		return 0, false, fmt.Errorf("load the last checkpoint of %s: %w", source, err)
	}
	return offset, n > 0, nil
}
