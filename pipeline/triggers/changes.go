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
	"tidemark/sinks/clickhouse/views"
)

// Changes finds the accounts that rows were written of since it last looked, from the parts that tables are made of: every insert
// makes one, whose number is in its name, and a merge makes one that covers the numbers of those that it took in. A part that
// covers a number not yet seen is read for its accounts. So nothing is missed, whatever the order in which inserts end; of rows that a
// merge put beside new ones before anybody looked it cannot be told which are new. The pipeline does nothing for it.
type Changes struct {
	client *sink.Client
	seen   map[string]spans // of each table's partition
}

// Found are the accounts that changed.
type Found struct {
	Accounts []string
	Perhaps  []string                   // accounts of parts in which a merge has put new rows beside others
	Beside   map[string]bool            // tables of besides that were written to
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

// The small tables that are read anew only when something was written to them.
const (
	generationsTable = "generations"
	silencesTable    = "silences"
	besides          = "'" + generationsTable + "', '" + silencesTable + "'"
)

type dataPart struct {
	table, partition, name string
	block                  span
	written                time.Time
}

// Skip takes everything that there is now as seen.
func (c *Changes) Skip(ctx context.Context, generation uint16) error {
	parts, _, err := c.unseen(ctx, generation)
	for _, p := range parts {
		c.mark(p)
	}
	return err
}

// Next returns the accounts of what was written since the last look: by one query, of ClickHouse's list of parts alone, if nothing was.
func (c *Changes) Next(ctx context.Context, generation uint16) (Found, error) {
	parts, beside, err := c.unseen(ctx, generation)
	found := Found{Beside: beside, Tables: map[string]map[string]bool{}, Since: map[string]time.Time{}}
	if err != nil || len(parts) == 0 {
		return found, err
	}
	read, sure := map[string]bool{}, map[string]bool{}
	if err := c.accounts(ctx, parts, &found, read, sure); err != nil {
		return found, err // and all are new next time
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
	perhaps := map[string]bool{}
	for _, of := range found.Tables {
		for a := range of {
			if !sure[a] {
				perhaps[a] = true
			}
		}
	}
	found.Accounts, found.Perhaps = slices.Sorted(maps.Keys(sure)), slices.Sorted(maps.Keys(perhaps))
	return found, nil
}

// unseen lists the parts of the watched tables that were not read, and which of the tables beside them were written to since the last look.
func (c *Changes) unseen(ctx context.Context, generation uint16) (parts []dataPart, beside map[string]bool, err error) {
	query := fmt.Sprintf(`SELECT table, partition, name, min_block_number, max_block_number, modification_time FROM system.parts
WHERE database = currentDatabase() AND active AND (table IN (%s) OR table IN (%s) AND (partition = '%[3]d' OR startsWith(partition, '(%[3]d,')))`,
		besides, watched, generation)
	beside = map[string]bool{}
	err = sink.Each(c.client.LoadContext(ctx), c.client.Conn(), query, func(rows driver.Rows) error {
		var p dataPart
		if err := rows.Scan(&p.table, &p.partition, &p.name, &p.block.from, &p.block.to, &p.written); err != nil {
			return err
		}
		switch {
		case c.seen[p.table+p.partition].cover(p.block):
		case strings.Contains(besides, "'"+p.table+"'"):
			beside[p.table] = true
			c.mark(p)
		default:
			parts = append(parts, p)
		}
		return nil
	})
	if err != nil {
		return nil, beside, fmt.Errorf("list the parts of the tables: %w", err)
	}
	return parts, beside, nil
}

// accounts adds those of some parts, which of them are sure to have changed, and which of the parts were there to read. It is one query, because most of a query's time is
// spent on understanding it.
func (c *Changes) accounts(ctx context.Context, parts []dataPart, found *Found, read, sure map[string]bool) error {
	names, mixed := map[string][]string{}, map[string]bool{}
	for _, p := range parts {
		mixed[p.table+p.name] = c.seen[p.table+p.partition].touch(p.block)
		names[p.table] = append(names[p.table], views.Quote(p.name))
	}
	var selects []string
	for _, table := range slices.Sorted(maps.Keys(names)) {
		first := "toDateTime64(0, 3, 'UTC')"
		if table == "known_accounts_all" {
			first = "CAST(min(since) AS DateTime64(3, 'UTC'))"
		}
		selects = append(selects, fmt.Sprintf("SELECT '%s', _part, account_id, %s FROM %[1]s WHERE _part IN (%[3]s) GROUP BY _part, account_id",
			table, first, strings.Join(names[table], ", ")))
		found.Tables[table] = map[string]bool{}
	}
	err := sink.Each(c.client.LoadContext(ctx), c.client.Conn(), strings.Join(selects, "\nUNION ALL "), func(rows driver.Rows) error {
		var table, name, account string
		var at time.Time
		if err := rows.Scan(&table, &name, &account, &at); err != nil {
			return err
		}
		read[table+name] = true
		if strings.HasPrefix(account, "_") || account == "" {
			return nil
		}
		found.Tables[table][account] = true
		if !mixed[table+name] {
			sure[account] = true
		}
		if at.Unix() != 0 {
			found.Since[account] = earlier(found.Since[account], at)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read which accounts were written to %s: %w", strings.Join(slices.Sorted(maps.Keys(names)), ", "), err)
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

// touch reports whether some of s is in them.
func (all spans) touch(s span) bool {
	return slices.ContainsFunc(all, func(o span) bool { return o.from <= s.to && s.from <= o.to })
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
