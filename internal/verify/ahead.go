package verify

import (
	"context"
	"errors"
	"fmt"

	"tidemark/internal/recount"
)

// ahead are the rows that hold records from beyond the range. It is a Sink: the
// log is read on until each of them has come to where ClickHouse has it.
type ahead struct {
	counters map[recount.CounterKey]counterAhead
	members  map[recount.MemberKey]struct{}
	minutes  map[recount.UserMinuteKey]minuteAhead
	last     int64 // the highest offset of a counter
	joined   int   // members, before any was settled
}

// counterAhead is a counter that has applied offsets beyond the range.
type counterAhead struct {
	want    counted
	value   uint64
	applied int64
	exact   bool
}

// minuteAhead is a minute that is wider than the range gives.
type minuteAhead struct {
	want  visited
	known bool
	got   recount.Span
}

func newAhead() *ahead {
	return &ahead{
		counters: map[recount.CounterKey]counterAhead{}, members: map[recount.MemberKey]struct{}{},
		minutes: map[recount.UserMinuteKey]minuteAhead{},
	}
}

// Count adds to a counter what ClickHouse has added to it.
func (a *ahead) Count(key recount.CounterKey, n uint64, offset int64) {
	if c, ok := a.counters[key]; ok && n > 0 && offset <= c.applied {
		c.want = counted{c.want.value + n, offset}
		a.counters[key] = c
	}
}

// Member settles a member.
func (a *ahead) Member(key recount.MemberKey, _ int64) { delete(a.members, key) }

// Visit stretches a minute until it is as ClickHouse has it, or wider.
func (a *ahead) Visit(key recount.UserMinuteKey, at, offset int64) {
	m, ok := a.minutes[key]
	if !ok || m.known && m.want.Span == m.got {
		return
	}
	if !m.known {
		m.known, m.want.Span = true, recount.Span{First: at, Last: at}
	}
	m.want = visited{m.want.With(at), offset}
	a.minutes[key] = m
}

// Fact is nothing that rows can be ahead in: it has one offset.
func (a *ahead) Fact(recount.FactKey, recount.Fact) {}

// AccountChange is, too.
func (a *ahead) AccountChange(recount.AccountChangeKey, recount.AccountChange) {}

// UserAccount is, too.
func (a *ahead) UserAccount(recount.UserAccountKey, string) {}

// settled says whether everything has come to where ClickHouse has it, once all
// below the offset has been read.
func (a *ahead) settled(offset int64) bool {
	if offset <= a.last || len(a.members) > 0 {
		return false
	}
	for _, m := range a.minutes {
		if !m.known || m.want.Span != m.got {
			return false
		}
	}
	return true
}

// errSettled ends reading on.
var errSettled = errors.New("every row has been reached")

// settledEvery is how many records are read before it is asked again whether
// everything is settled.
const settledEvery = 1000

// readAhead reads the log on, as far as rows are ahead of the range and as far
// as is allowed, and compares those rows.
func (m *match) readAhead(ctx context.Context, fold *recount.Fold) error {
	a := m.pending
	a.last, a.joined = m.span.end-1, len(a.members)
	for _, c := range a.counters {
		a.last = max(a.last, c.applied)
	}
	end := m.span.end
	if !a.settled(end) {
		limit, err := m.session.log.End(ctx, m.span.Partition) // all that ClickHouse can have seen
		if err != nil {
			return err
		}
		end = min(limit, m.span.end+m.session.opts.ReadAhead)
		fold.Redirect(a)
		m.session.total += end - m.span.end
		err = m.session.read(ctx, m.span.Partition, m.span.end, end, func(r recount.Record) error {
			if (r.Offset-m.span.end)%settledEvery == 0 && a.settled(r.Offset) {
				return errSettled
			}
			fold.Take(r)
			return nil
		})
		switch {
		case errors.Is(err, errSettled):
			end = limit
		case err != nil:
			return err
		}
		m.judge(end, end == limit)
		return nil
	}
	m.judge(end, true)
	return nil
}

// judge compares the rows that are ahead with the log up to end; all says that
// the log has been read as far as any row can be.
func (m *match) judge(end int64, all bool) {
	for key, c := range m.pending.counters {
		switch {
		case c.applied >= end && !all, !c.exact:
			m.result.AtLeast++
			if c.value < c.want.value {
				m.differCounter(key, c.value, c.applied, c.want, false)
			}
		default:
			m.result.Ahead++
			m.differCounter(key, c.value, c.applied, c.want, c.value == c.want.value)
		}
	}
	m.result.Ahead += m.pending.joined - len(m.pending.members)
	for key := range m.pending.members {
		if !all {
			m.result.NotCompared++
			continue
		}
		m.result.Ahead++
		d := memberDifference(key)
		d.ClickHouse = "member"
		m.session.report.differ(d)
	}
	for key, minute := range m.pending.minutes {
		switch {
		case minute.known && minute.want.Span == minute.got:
			m.result.Ahead++
		case all:
			m.result.Ahead++
			m.differMinute(key, minute.want, minute.known, spanText(minute.got))
		default:
			m.result.NotCompared++
		}
	}
	if !all && m.result.NotCompared > 0 {
		m.result.Notes = append(m.result.Notes, fmt.Sprintf("rows are ahead of offset %d, to which the log was read: allow more with --read-ahead", end))
	}
}
