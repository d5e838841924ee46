package recount

import "unicode/utf8"

// Sink is told what records add to the tables. Offsets are those of the record.
type Sink interface {
	Count(key CounterKey, n uint64, offset int64)
	Member(key MemberKey, offset int64)
	Visit(key UserMinuteKey, at, offset int64)
	Fact(key FactKey, fact Fact)
	AccountChange(key AccountChangeKey, change AccountChange)
	UserAccount(key UserAccountKey, account string)
}

// Verdict says what became of a record. Reason is set for a dead letter only;
// ID, Name (of the event, or its type) and At, the event time in Unix ms, for
// records that can be read.
type Verdict struct {
	Kind   VerdictKind
	Reason string
	ID     string
	Name   string
	At     int64
}

// VerdictKind is one of four things that become of a record.
type VerdictKind int

// The verdicts.
const (
	Applied VerdictKind = iota
	Duplicate
	Filtered
	DeadLettered
)

// Fold counts the records of one source, one after the other.
type Fold struct {
	// Repeats, if set, is told what duplicates would have added.
	Repeats Sink

	source string
	opts   Options
	limits Limits
	sink   Sink
	seen   recent
	users  map[uint64]string // account of a user, by the user's hash
	// features are those that an account has used on a day.
	features map[accountDay]map[string]bool
	take     func(Record) Verdict
}

// NewFold returns a fold of the partition's records, from the first on: nothing
// came before it.
func NewFold(p Partition, opts Options, sink Sink) *Fold {
	f := &Fold{source: p.Source, opts: opts, limits: opts.Limits.WithDefaults(), sink: sink, users: map[uint64]string{},
		features: map[accountDay]map[string]bool{}}
	f.seen = recent{reach: f.limits.DedupRecords, at: map[string]int64{}}
	switch p.Topic {
	case opts.Telemetry:
		f.take = f.telemetry
	case opts.Tickets:
		f.take = f.ticket
	case opts.Signals:
		f.take = f.signal
	default:
		f.take = f.account
	}
	return f
}

// Take counts the next record.
func (f *Fold) Take(r Record) Verdict {
	if len(r.Value) <= maxRecord && !utf8.Valid(r.Value) {
		return refuse("malformed")
	}
	return f.take(r)
}

// Warm has the fold remember the id of a record from before those that count.
func (f *Fold) Warm(r Record) {
	sink, repeats, users := f.sink, f.Repeats, f.users
	f.sink, f.Repeats, f.users = nothing{}, nil, map[uint64]string{}
	f.Take(r)
	f.sink, f.Repeats, f.users = sink, repeats, users
}

// Learn tells the fold the account of a user, by hash, from before the records
// that count.
func (f *Fold) Learn(user uint64, account string) { f.users[user] = account }

// Admit tells the fold features that an account's day, by its start in Unix
// ms, counts by their names, from before the records that count.
func (f *Fold) Admit(account string, day int64, features []string) {
	used := map[string]bool{}
	for _, name := range features {
		used[name] = true
	}
	f.features[accountDay{account, day}] = used
}

// Redirect has what follows told to another sink.
func (f *Fold) Redirect(to Sink) { f.sink = to }

// refuse is the verdict of a dead letter.
func refuse(reason string) Verdict { return Verdict{Kind: DeadLettered, Reason: reason} }

// recent tells whether an id was seen among the last offsets, as far as it
// reaches.
type recent struct {
	reach int64
	at    map[string]int64
}

func (s *recent) repeated(id string, offset int64) bool {
	if id == "" {
		return false
	}
	before, ok := s.at[id]
	s.at[id] = offset
	if int64(len(s.at)) > 2*s.reach+1000 {
		for id, at := range s.at {
			if offset-at > s.reach {
				delete(s.at, id)
			}
		}
	}
	return ok && offset-before <= s.reach
}

// nothing forgets everything.
type nothing struct{}

func (nothing) Count(CounterKey, uint64, int64)               {}
func (nothing) Member(MemberKey, int64)                       {}
func (nothing) Visit(UserMinuteKey, int64, int64)             {}
func (nothing) Fact(FactKey, Fact)                            {}
func (nothing) AccountChange(AccountChangeKey, AccountChange) {}
func (nothing) UserAccount(UserAccountKey, string)            {}
