package verify

import (
	"fmt"
	"maps"
	"time"

	"tidemark/internal/recount"
	"tidemark/pipeline/forgotten"
)

// TooManyRowsError says that a range touches more rows than memory may hold.
type TooManyRowsError struct{ Limit int }

func (e *TooManyRowsError) Error() string {
	return fmt.Sprintf("the range touches more than %d rows, which are held in memory at about 300 bytes each: "+
		"take a shorter range (--from, --to), one partition (--partition) or one account (--account), or allow more with --max-rows", e.Limit)
}

// logRetention is how long ClickHouse keeps dead letters.
const logRetention = 90 * 24 * time.Hour

// tally is what the range gives, by row. Rows that may have expired are left
// out, and those of other accounts than the one that was asked for.
type tally struct {
	account     string
	forgotten   *forgotten.List // of whom there may be no rows
	maxRows     int
	expired     map[recount.Tier]int64 // windows that start before this, in Unix ms, may have been deleted
	oldest      map[recount.Tier]int64 // earliest window that was touched
	oldestVisit int64                  // the same of users' minutes
	letters     int64                  // dead letters before this, in Unix ms, may have been deleted
	counters    map[recount.CounterKey]counted
	members     map[recount.MemberKey]int64 // the offset that put it there
	minutes     map[recount.UserMinuteKey]visited
	facts       map[recount.FactKey]recount.Fact
	changes     map[recount.AccountChangeKey]recount.AccountChange
	users       map[recount.UserAccountKey]string
	dead        map[int64]string
	present     map[int64]struct{} // of a compacted topic: the offsets that the log still has
}

// counted is a counter's value and the last offset that added to it.
type counted struct {
	value uint64
	last  int64
}

// visited is a user's minute and the last offset that changed it.
type visited struct {
	recount.Span
	last int64
}

func newTally(s *session) *tally {
	t := &tally{
		account: s.opts.Account, forgotten: s.opts.Forgotten, maxRows: s.opts.MaxRows, expired: map[recount.Tier]int64{}, oldest: map[recount.Tier]int64{},
		oldestVisit: s.now.UnixMilli(), letters: s.now.Add(-logRetention).UnixMilli(),
		counters: map[recount.CounterKey]counted{}, members: map[recount.MemberKey]int64{}, minutes: map[recount.UserMinuteKey]visited{},
		facts: map[recount.FactKey]recount.Fact{}, changes: map[recount.AccountChangeKey]recount.AccountChange{},
		users: map[recount.UserAccountKey]string{}, dead: map[int64]string{}, present: map[int64]struct{}{},
	}
	for _, tier := range recount.Tiers {
		t.expired[tier] = s.now.Add(-s.opts.Log.Limits.Retention[tier]).UnixMilli()
		t.oldest[tier] = s.now.UnixMilli()
	}
	return t
}

// of says whether rows of the account are compared.
func (t *tally) of(account string) bool {
	return (t.account == "" || t.account == account) && !t.forgotten.Account([]byte(account))
}

// takes says whether rows of the account and window are compared.
func (t *tally) takes(account string, tier recount.Tier, at int64) bool {
	return t.of(account) && at >= t.expired[tier]
}

// Count adds to a counter. What adds nothing makes no row.
func (t *tally) Count(key recount.CounterKey, n uint64, offset int64) {
	if n == 0 || !t.takes(key.Account, key.Tier, key.Window) {
		return
	}
	t.oldest[key.Tier] = min(t.oldest[key.Tier], key.Window)
	c := t.counters[key]
	t.counters[key] = counted{c.value + n, offset}
}

// Member puts a user into a set.
func (t *tally) Member(key recount.MemberKey, offset int64) {
	if !t.takes(key.Account, key.Tier, key.Window) || t.forgotten.User(key.Member) {
		return
	}
	t.oldest[key.Tier] = min(t.oldest[key.Tier], key.Window)
	if _, ok := t.members[key]; !ok {
		t.members[key] = offset
	}
}

// Visit stretches a user's minute.
func (t *tally) Visit(key recount.UserMinuteKey, at, offset int64) {
	if !t.takes(key.Account, recount.Hour, key.Minute) || t.forgotten.User(key.User) { // kept as long as their hours
		return
	}
	t.oldestVisit = min(t.oldestVisit, key.Minute)
	v, ok := t.minutes[key]
	if !ok {
		v.Span = recount.Span{First: at, Last: at}
	}
	t.minutes[key] = visited{v.With(at), offset}
}

// Fact keeps a fact.
func (t *tally) Fact(key recount.FactKey, fact recount.Fact) {
	if !t.takes(key.Account, recount.Day, key.At) || key.User != 0 && t.forgotten.User(key.User) {
		return
	}
	if id := fact.Attributes["requester_id"]; t.forgotten.User(forgotten.User("u:" + id).Hash) {
		fact.Attributes = maps.Clone(fact.Attributes)
		delete(fact.Attributes, "requester_id")
	}
	t.facts[key] = fact
}

// AccountChange keeps a change of an account.
func (t *tally) AccountChange(key recount.AccountChangeKey, change recount.AccountChange) {
	if t.of(key.Account) && !(change.Deleted && t.forgotten.Key([]byte(key.Account))) { // the tombstone of one of its attributes
		t.changes[key] = change
	}
}

// UserAccount keeps the account of a user.
func (t *tally) UserAccount(key recount.UserAccountKey, account string) {
	if t.of(account) && !t.forgotten.User(key.User) {
		t.users[key] = account
	}
}

// deadLetter keeps a record that could not be counted. It belongs to no account.
func (t *tally) deadLetter(r recount.Record, reason string) {
	if t.account == "" && r.Time >= t.letters {
		t.dead[r.Offset] = reason
	}
}

// full says when there are too many rows.
func (t *tally) full() error {
	n := len(t.present) + len(t.counters) + len(t.members) + len(t.minutes) + len(t.facts) + len(t.changes) + len(t.users) + len(t.dead)
	if n > t.maxRows {
		return &TooManyRowsError{Limit: t.maxRows}
	}
	return nil
}
