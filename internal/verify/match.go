package verify

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidemark/internal/recount"
)

// match holds the rows of ClickHouse against the tally of a span. A row that is
// found is taken out of the tally, so that what is left is missing.
type match struct {
	session *session
	span    *span
	tally   *tally
	result  *Source
	pending *ahead
}

// counter compares one row of counters.
func (m *match) counter(key recount.CounterKey, value uint64, applied int64) {
	want, known := m.tally.counters[key]
	delete(m.tally.counters, key)
	exact := m.span.exact(key.Window)
	switch {
	case applied >= m.span.end:
		m.pending.counters[key] = counterAhead{want: want, value: value, applied: applied, exact: exact}
	case applied < m.span.begin && !known && !exact:
		// The range did not touch it.
	case exact:
		m.result.Equal++
		m.differCounter(key, value, applied, want, value == want.value)
	default:
		m.result.AtLeast++
		m.differCounter(key, value, applied, want, known && value >= want.value)
	}
}

// differCounter reports a counter unless its value is right, and so is the
// offset that it says it has come to.
func (m *match) differCounter(key recount.CounterKey, value uint64, applied int64, want counted, right bool) {
	d := m.counterDifference(key, want)
	switch {
	case !right:
		d.ClickHouse = strconv.FormatUint(value, 10)
		if applied != want.last {
			d.ClickHouse += fmt.Sprintf(" at offset %d", applied)
		}
		m.session.report.differ(d)
	case applied != want.last:
		d.Log, d.ClickHouse = fmt.Sprintf("%s at offset %d", d.Log, want.last), fmt.Sprintf("%d at offset %d", value, applied)
		m.session.report.differ(d)
	}
}

func (m *match) counterDifference(key recount.CounterKey, want counted) Difference {
	d := Difference{Table: "counters", Account: key.Account, Metric: key.Metric, Tier: key.Tier, Window: instant(key.Window),
		Feature: key.Feature, Source: key.Source}
	if want.value > 0 {
		d.Log, d.Offset = strconv.FormatUint(want.value, 10), &want.last
		if !m.span.exact(key.Window) {
			d.Log = "at least " + d.Log
		}
	}
	return d
}

// member compares one row of members.
func (m *match) member(key recount.MemberKey) {
	_, known := m.tally.members[key]
	delete(m.tally.members, key)
	switch {
	case known:
		m.result.Equal++
	case m.span.exact(key.Window):
		m.pending.members[key] = struct{}{}
	}
}

func memberDifference(key recount.MemberKey) Difference {
	return Difference{Table: "members", Account: key.Account, Metric: key.Metric, Tier: key.Tier, Window: instant(key.Window),
		Feature: key.Feature, Entity: user(key.Member), Source: key.Source}
}

// minute compares one row of user_minutes.
func (m *match) minute(key recount.UserMinuteKey, got recount.Span) {
	want, known := m.tally.minutes[key]
	delete(m.tally.minutes, key)
	covers := !known || got.First <= want.First && got.Last >= want.Last
	switch exact := m.span.exact(key.Minute); {
	case !exact && !known:
		// The range did not touch it.
	case exact && known && got == want.Span:
		m.result.Equal++
	case exact && covers:
		m.pending.minutes[key] = minuteAhead{want: want, known: known, got: got}
	default:
		if m.result.AtLeast++; !covers {
			m.differMinute(key, want, known, spanText(got))
		}
	}
}

func (m *match) differMinute(key recount.UserMinuteKey, want visited, known bool, got string) {
	d := Difference{Table: "user_minutes", Account: key.Account, Tier: recount.Minute, Window: instant(key.Minute),
		Entity: user(key.User), Source: key.Source, ClickHouse: got}
	if known {
		d.Log, d.Offset = spanText(want.Span), &want.last
		if !m.span.exact(key.Minute) {
			d.Log = "at least " + d.Log
		}
	}
	m.session.report.differ(d)
}

// fact compares one row of facts, whose offset is the last of those that say
// the same.
func (m *match) fact(key recount.FactKey, got recount.Fact) {
	want, known := m.tally.facts[key]
	delete(m.tally.facts, key)
	switch {
	case got.Offset >= m.span.end && known:
		m.result.AtLeast++ // said again after the range
	case got.Offset >= m.span.end:
		// Later than the range.
	default:
		m.result.Equal++
		a, b := factText(want), factText(got)
		if !known || a != b || want.Offset != got.Offset {
			d := factDifference(key, want, known)
			d.ClickHouse = fmt.Sprintf("%sat offset %d", b, got.Offset)
			m.session.report.differ(d)
		}
	}
}

func factDifference(key recount.FactKey, want recount.Fact, known bool) Difference {
	d := Difference{Table: "facts", Account: key.Account, Metric: key.Kind + "/" + key.Name, Window: instant(key.At),
		Entity: key.Entity + " id " + hex(key.ID), Source: key.Source}
	if key.User != 0 {
		d.Entity += " " + user(key.User)
	}
	if known {
		d.Log, d.Offset = fmt.Sprintf("%sat offset %d", factText(want), want.Offset), &want.Offset
	}
	return d
}

// change compares one row of account_changes. One whose record was compacted
// away can't be checked.
func (m *match) change(key recount.AccountChangeKey, got recount.AccountChange) {
	want, known := m.tally.changes[key]
	delete(m.tally.changes, key)
	if _, present := m.tally.present[key.Offset]; !known && !present {
		m.result.NotCompared++
		return
	}
	m.result.Equal++
	if a, b := changeText(want), changeText(got); !known || a != b {
		d := changeDifference(key, want, known)
		d.ClickHouse = b
		m.session.report.differ(d)
	}
}

func changeDifference(key recount.AccountChangeKey, want recount.AccountChange, known bool) Difference {
	d := Difference{Table: "account_changes", Account: key.Account, Window: instant(key.ValidFrom), Source: key.Source, Offset: &key.Offset}
	if known {
		d.Log = changeText(want)
	}
	return d
}

// userAccount compares one row of user_accounts.
func (m *match) userAccount(key recount.UserAccountKey, got string) {
	want := m.tally.users[key]
	delete(m.tally.users, key)
	if m.result.Equal++; want != got {
		m.session.report.differ(userAccountDifference(key, want, got))
	}
}

func userAccountDifference(key recount.UserAccountKey, want, got string) Difference {
	account := want
	if account == "" {
		account = got
	}
	return Difference{Table: "user_accounts", Account: account, Entity: user(key.User), Source: key.Source, Offset: &key.Offset, Log: want, ClickHouse: got}
}

// deadLetter compares one row of dead_letters.
func (m *match) deadLetter(offset int64, got string) {
	want := m.tally.dead[offset]
	delete(m.tally.dead, offset)
	if m.result.Equal++; want != got {
		m.session.report.differ(Difference{Table: "dead_letters", Source: m.span.Source, Offset: &offset, Log: want, ClickHouse: got})
	}
}

// missing reports what is left in the tally: ClickHouse has no row of it.
func (m *match) missing() {
	t, report := m.tally, m.session.report
	m.result.Equal += len(t.counters) + len(t.members) + len(t.minutes) + len(t.facts) + len(t.changes) + len(t.users) + len(t.dead)
	for key, want := range t.counters {
		report.differ(m.counterDifference(key, want))
	}
	for key, offset := range t.members {
		d := memberDifference(key)
		d.Log, d.Offset = "member", &offset
		report.differ(d)
	}
	for key, want := range t.minutes {
		m.differMinute(key, want, true, "")
	}
	for key, want := range t.facts {
		report.differ(factDifference(key, want, true))
	}
	for key, want := range t.changes {
		report.differ(changeDifference(key, want, true))
	}
	for key, want := range t.users {
		report.differ(userAccountDifference(key, want, ""))
	}
	for offset, want := range t.dead {
		report.differ(Difference{Table: "dead_letters", Source: m.span.Source, Offset: &offset, Log: want})
	}
}

func instant(ms int64) *time.Time {
	at := time.UnixMilli(ms).UTC()
	return &at
}

func hex(h uint64) string { return fmt.Sprintf("%016x", h) }

func user(h uint64) string { return "user " + hex(h) }

func spanText(s recount.Span) string {
	const layout = "15:04:05.000"
	return time.UnixMilli(s.First).UTC().Format(layout) + " to " + time.UnixMilli(s.Last).UTC().Format(layout)
}

// factText writes a fact's value, unless it is 0, and its non-empty attributes by name, with a space after each.
func factText(f recount.Fact) string {
	var b strings.Builder
	if f.Value != 0 {
		fmt.Fprintf(&b, "value=%v ", f.Value)
	}
	all := f.Attributes
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] != "" {
			fmt.Fprintf(&b, "%s=%q ", name, all[name])
		}
	}
	return b.String()
}

// changeText keeps empty attributes: they clear what was known.
func changeText(c recount.AccountChange) string {
	if c.Deleted {
		return "removed"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.Attributes)) {
		parts = append(parts, fmt.Sprintf("%s=%q", name, c.Attributes[name]))
	}
	return "set " + strings.Join(parts, " ")
}
