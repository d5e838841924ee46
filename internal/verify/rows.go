package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/internal/recount"
	"tidemark/sinks/clickhouse"
)

// readRows reads the rows of the span's source that its records may have
// touched, and compares each. What is left of the tally is missing.
func (m *match) readRows(ctx context.Context) error {
	tables := []struct {
		name string
		read func(context.Context) error
	}{
		{"counters", m.readCounters}, {"members", m.readMembers}, {"user_minutes", m.readMinutes}, {"facts", m.readFacts},
		{"account_changes", m.readChanges}, {"user_accounts", m.readUserAccounts}, {"dead_letters", m.readDeadLetters},
	}
	for _, t := range tables {
		if err := t.read(ctx); err != nil {
			return fmt.Errorf("read %s: %w", t.name, err)
		}
	}
	m.missing()
	return nil
}

// query runs a query that ends with the condition on the account, if there is
// one, and calls each for every row.
func (m *match) query(ctx context.Context, before, after string, args []any, each func(driver.Rows) error) error {
	if account := m.session.opts.Account; account != "" {
		before += " AND account_id = ?"
		args = append(args, account)
	}
	return clickhouse.Each(ctx, m.session.conn, before+after, each, args...)
}

// windowsFrom is the first window of a tier to read, in Unix seconds: all that
// can't have expired, if the span begins with the log; else those that it
// touched or that it alone can have touched.
func (m *match) windowsFrom(tier recount.Tier) uint32 {
	from := m.tally.expired[tier]
	if m.span.begin > 0 {
		from = max(from, min(m.tally.oldest[tier], m.span.exactAfter))
	}
	return seconds(from)
}

// seconds is a time in Unix seconds, rounded up.
func seconds(ms int64) uint32 { return uint32((ms + 999) / 1000) } //nolint:gosec // until 2106

func (m *match) readCounters(ctx context.Context) error {
	for _, tier := range recount.Tiers {
		err := m.query(ctx, `SELECT account_id, window_start, feature, metric, max(value), max(applied_offset) FROM counters
			WHERE tier = ? AND source = ? AND window_start >= toDateTime(?, 'UTC')`,
			" GROUP BY tier, account_id, window_start, feature, metric, source", []any{string(tier), m.span.Source, m.windowsFrom(tier)},
			func(rows driver.Rows) error {
				key := recount.CounterKey{Tier: tier, Source: m.span.Source}
				var window time.Time
				var value, applied uint64
				if err := rows.Scan(&key.Account, &window, &key.Feature, &key.Metric, &value, &applied); err != nil {
					return err
				}
				key.Window = window.UnixMilli()
				m.counter(key, value, int64(applied))
				return m.full()
			})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *match) readMembers(ctx context.Context) error {
	for _, tier := range recount.Tiers {
		err := m.query(ctx, `SELECT account_id, window_start, feature, metric, member FROM members
			WHERE tier = ? AND source = ? AND window_start >= toDateTime(?, 'UTC')`,
			" GROUP BY tier, account_id, window_start, feature, metric, member, source", []any{string(tier), m.span.Source, m.windowsFrom(tier)},
			func(rows driver.Rows) error {
				key := recount.MemberKey{CounterKey: recount.CounterKey{Tier: tier, Source: m.span.Source}}
				var window time.Time
				if err := rows.Scan(&key.Account, &window, &key.Feature, &key.Metric, &key.Member); err != nil {
					return err
				}
				key.Window = window.UnixMilli()
				m.member(key)
				return m.full()
			})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *match) readMinutes(ctx context.Context) error {
	from := m.tally.expired[recount.Hour]
	if m.span.begin > 0 {
		from = max(from, min(m.tally.oldestVisit, m.span.exactAfter))
	}
	return m.query(ctx, `SELECT account_id, minute, user, min(first), max(last) FROM user_minutes
		WHERE source = ? AND minute >= toDateTime(?, 'UTC')`,
		" GROUP BY account_id, toDate(minute), user, minute, source", []any{m.span.Source, seconds(from)},
		func(rows driver.Rows) error {
			key := recount.UserMinuteKey{Source: m.span.Source}
			var minute, first, last time.Time
			if err := rows.Scan(&key.Account, &minute, &key.User, &first, &last); err != nil {
				return err
			}
			key.Minute = minute.UnixMilli()
			m.minute(key, recount.Span{First: first.UnixMilli(), Last: last.UnixMilli()})
			return m.full()
		})
}

func (m *match) readFacts(ctx context.Context) error {
	return m.query(ctx, `SELECT kind, account_id, entity, at, name, user, id, max(offset), argMax(value, offset), argMax(attributes, offset) FROM facts
		WHERE source = ? AND at >= toDateTime(?, 'UTC')`,
		fmt.Sprintf(" GROUP BY kind, account_id, entity, at, name, user, id, source HAVING max(offset) >= %d", m.span.begin),
		[]any{m.span.Source, seconds(m.tally.expired[recount.Day])},
		func(rows driver.Rows) error {
			key := recount.FactKey{Source: m.span.Source}
			var at time.Time
			var offset uint64
			var fact recount.Fact
			if err := rows.Scan(&key.Kind, &key.Account, &key.Entity, &at, &key.Name, &key.User, &key.ID, &offset, &fact.Value, &fact.Attributes); err != nil {
				return err
			}
			key.At, fact.Offset = at.UnixMilli(), int64(offset)
			m.fact(key, fact)
			return nil
		})
}

func (m *match) readChanges(ctx context.Context) error {
	return m.query(ctx, `SELECT account_id, valid_from, offset, any(deleted), any(attributes) FROM account_changes
		WHERE source = ? AND offset >= ? AND offset < ?`, " GROUP BY account_id, valid_from, source, offset", m.offsets(),
		func(rows driver.Rows) error {
			key := recount.AccountChangeKey{Source: m.span.Source}
			var from time.Time
			var offset uint64
			var deleted uint8
			var change recount.AccountChange
			if err := rows.Scan(&key.Account, &from, &offset, &deleted, &change.Attributes); err != nil {
				return err
			}
			key.ValidFrom, key.Offset, change.Deleted = from.UnixMilli(), int64(offset), deleted != 0
			m.change(key, change)
			return nil
		})
}

func (m *match) readUserAccounts(ctx context.Context) error {
	return m.query(ctx, "SELECT user, offset, any(account_id) FROM user_accounts WHERE source = ? AND offset >= ? AND offset < ?",
		" GROUP BY source, user, offset", m.offsets(),
		func(rows driver.Rows) error {
			key := recount.UserAccountKey{Source: m.span.Source}
			var offset uint64
			var account string
			if err := rows.Scan(&key.User, &offset, &account); err != nil {
				return err
			}
			key.Offset = int64(offset)
			m.userAccount(key, account)
			return nil
		})
}

// readDeadLetters leaves them out when one account is asked for: they have none.
func (m *match) readDeadLetters(ctx context.Context) error {
	if m.session.opts.Account != "" {
		return nil
	}
	return m.query(ctx, "SELECT offset, any(reason) FROM dead_letters WHERE source = ? AND offset >= ? AND offset < ? AND log_time >= fromUnixTimestamp64Milli(?)",
		" GROUP BY source, offset", append(m.offsets(), m.tally.letters),
		func(rows driver.Rows) error {
			var offset uint64
			var reason string
			if err := rows.Scan(&offset, &reason); err != nil {
				return err
			}
			m.deadLetter(int64(offset), reason)
			return nil
		})
}

// offsets are the arguments of a condition on source and offset.
func (m *match) offsets() []any {
	return []any{m.span.Source, uint64(m.span.begin), uint64(m.span.end)} //nolint:gosec // not negative
}

// full says when too many rows are ahead.
func (m *match) full() error {
	if n := len(m.pending.counters) + len(m.pending.members) + len(m.pending.minutes); n > m.session.opts.MaxRows {
		return &TooManyRowsError{Limit: m.session.opts.MaxRows}
	}
	return nil
}
