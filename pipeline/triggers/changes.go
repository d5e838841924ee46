package triggers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	sink "tidemark/sinks/clickhouse"
)

// Changes finds the accounts that rows were written of since it last looked, from the parts that tables are made of: every insert
// makes one, whose number is in its name, and a merge makes one that covers the numbers of those that it took in. A part that
// covers a number not yet seen is read for its accounts. So nothing is missed, whatever the order in which inserts end; accounts
// of rows that a merge put beside new ones are found once more, which does no harm. The pipeline does nothing for it.
type Changes struct {
	client *sink.Client
	seen   map[string]spans // of each table's partition
}

// Found are the accounts that changed.
type Found struct {
	Accounts []string
	Tables   map[string]map[string]bool // the accounts by the table that rows were written to
	Since    map[string]time.Time       // by account, where that was written: when it was first heard of, as far as the new parts say
	Oldest   time.Time                  // when the first of the parts was written; zero: none was
}

// NewChanges returns a Changes for which everything that there is at the first look is new.
func NewChanges(client *sink.Client) *Changes {
	return &Changes{client: client, seen: map[string]spans{}}
}

// watched are the tables that rules read rows of accounts from, all of them and whole: an insert commits a part for each partition, and
// materialized views theirs, one after the other. So an account is found again, and judged again, when the last of them is there.
const watched = "'counters_all', 'member_sets_all', 'user_minutes_all', 'facts_all', 'account_changes_all', 'known_accounts_all'"

type dataPart struct {
	table, partition, name string
	block                  span
	written                time.Time
}

// Skip takes everything that there is now as seen.
func (c *Changes) Skip(ctx context.Context, generation uint16) error {
	parts, err := c.unseen(ctx, generation)
	for _, p := range parts {
		c.mark(p)
	}
	return err
}

// Next returns the accounts of what was written since the last look.
func (c *Changes) Next(ctx context.Context, generation uint16) (Found, error) {
	parts, err := c.unseen(ctx, generation)
	if err != nil || len(parts) == 0 {
		return Found{}, err
	}
	byTable := map[string][]dataPart{}
	for _, p := range parts {
		byTable[p.table] = append(byTable[p.table], p)
	}
	accounts, read := map[string]bool{}, map[string]bool{}
	found := Found{Tables: map[string]map[string]bool{}, Since: map[string]time.Time{}}
	for table, of := range byTable {
		found.Tables[table] = map[string]bool{}
		if err := c.accounts(ctx, table, of, found.Tables[table], read, found.Since); err != nil {
			return Found{}, err // and all are new next time
		}
		maps.Copy(accounts, found.Tables[table])
	}
	for _, p := range parts {
		if !read[p.table+p.name] {
			continue // merged away since it was listed: what took it in is new next time
		}
		c.mark(p)
		if found.Oldest.IsZero() || p.written.Before(found.Oldest) {
			found.Oldest = p.written
		}
	}
	found.Accounts = slices.Sorted(maps.Keys(accounts))
	return found, nil
}

func (c *Changes) unseen(ctx context.Context, generation uint16) ([]dataPart, error) {
	query := fmt.Sprintf(`SELECT table, partition, name, min_block_number, max_block_number, modification_time FROM system.parts
WHERE database = currentDatabase() AND active AND table IN (%s) AND (partition = '%[2]d' OR startsWith(partition, '(%[2]d,'))`,
		watched, generation)
	var parts []dataPart
	err := sink.Each(c.client.LoadContext(ctx), c.client.Conn(), query, func(rows driver.Rows) error {
		var p dataPart
		if err := rows.Scan(&p.table, &p.partition, &p.name, &p.block.from, &p.block.to, &p.written); err != nil {
			return err
		}
		if !c.seen[p.table+p.partition].cover(p.block) {
			parts = append(parts, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the parts of the tables: %w", err)
	}
	return parts, nil
}

// accounts adds those of some parts of a table, and which of these parts were there to read.
func (c *Changes) accounts(ctx context.Context, table string, parts []dataPart, into, read map[string]bool, since map[string]time.Time) error {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	first := "toDateTime64(0, 3, 'UTC')"
	if table == "known_accounts_all" {
		first = "CAST(min(since) AS DateTime64(3, 'UTC'))"
	}
	query := "SELECT _part, account_id, " + first + " FROM " + table + " WHERE _part IN {parts:Array(String)} GROUP BY _part, account_id"
	err := sink.Each(c.client.LoadContext(ctx), c.client.Conn(), query, func(rows driver.Rows) error {
		var name, account string
		var at time.Time
		if err := rows.Scan(&name, &account, &at); err != nil {
			return err
		}
		read[table+name] = true
		if strings.HasPrefix(account, "_") || account == "" {
			return nil
		}
		into[account] = true
		if at.Unix() != 0 {
			since[account] = earlier(since[account], at)
		}
		return nil
	}, named("parts", names))
	if err != nil {
		return fmt.Errorf("read which accounts were written to %s: %w", table, err)
	}
	return nil
}

func (c *Changes) mark(p dataPart) {
	key := p.table + p.partition
	c.seen[key] = c.seen[key].add(p.block)
}

// earlier is the first of two times; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// span is a range of block numbers, both included.
type span struct{ from, to int64 }

// spans are ranges in order, with a gap between each two.
type spans []span

// cover reports whether all of s is in them.
func (all spans) cover(s span) bool {
	for _, o := range all {
		if o.from <= s.from && s.to <= o.to {
			return true
		}
	}
	return false
}

// add returns them with s.
func (all spans) add(s span) spans {
	var out spans
	for _, o := range all {
		switch {
		case o.to < s.from-1 || s.to < o.from-1:
			out = append(out, o)
		default:
			s = span{min(s.from, o.from), max(s.to, o.to)}
		}
	}
	out = append(out, s)
	slices.SortFunc(out, func(a, b span) int { return int(a.from - b.from) })
	return out
}
