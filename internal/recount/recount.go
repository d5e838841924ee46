// Package recount counts the topics again, naively, to check the pipeline: one
// goroutine reads every record with kafka-go and folds it into maps. It shares
// no code with the pipeline, the sinks or the schemas, only the meaning of the
// contract, so an error has to be made twice to go unnoticed. Of a catalogue it
// takes the declarations, and interprets them by itself.
//
// Count and Compare are for tests, which can wait until nothing moves. Log and
// Fold are the parts of them that tidemark verify and tidemark explain need.
package recount

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Tier is a size of tumbling window.
type Tier string

// The tiers, by ClickHouse's enum names.
const (
	Minute Tier = "minute"
	Hour   Tier = "hour"
	Day    Tier = "day"
)

// Tiers lists every tier, finest first.
var Tiers = []Tier{Minute, Hour, Day}

// Size is the length of the tier's windows.
func (t Tier) Size() time.Duration {
	switch t {
	case Minute:
		return time.Minute
	case Hour:
		return time.Hour
	default:
		return 24 * time.Hour
	}
}

// Retention is the age, received less event time, past which an event is not
// folded into the tier.
func (t Tier) Retention() time.Duration {
	switch t {
	case Minute:
		return 336 * time.Hour
	case Hour:
		return 9600 * time.Hour
	default:
		return 43800 * time.Hour
	}
}

// Window is the start, in Unix milliseconds, of the tier's window that holds
// the instant at, also in Unix milliseconds.
func (t Tier) Window(at int64) int64 {
	size := t.Size().Milliseconds()
	start := at - at%size
	if start > at {
		start -= size
	}
	return start
}

// Options says which log to recount. Topics left empty are not read.
type Options struct {
	Brokers   []string
	Telemetry string
	Tickets   string
	Accounts  string
	Signals   string

	// Transport carries TLS and SASL; nil is a plain connection. Kafka are the
	// same for franz-go, which is asked for topic ids.
	Transport *kafka.Transport
	Kafka     []kgo.Opt

	// Rules is what is counted; nil is the built-in catalogue, written out by
	// hand.
	Rules *Rules
	// Limits are the pipeline's; zero ones are its defaults.
	Limits Limits
}

// Limits are the settings of the pipeline that rows depend on.
type Limits struct {
	DedupRecords int64         // how many offsets back a repeated message id is found
	MaxFuture    time.Duration // how far an event may be ahead of its reception
	Retention    map[Tier]time.Duration
	Features     int // of an account in a day; uses of others count for Other
}

// Other is the feature that stands for those beyond Limits.Features.
const Other = "__other__"

// WithDefaults replaces zero limits by the defaults.
func (l Limits) WithDefaults() Limits {
	if l.DedupRecords == 0 {
		l.DedupRecords = 131072
	}
	if l.MaxFuture == 0 {
		l.MaxFuture = 10 * time.Minute
	}
	if l.Features == 0 {
		l.Features = 1000
	}
	if l.Retention == nil {
		l.Retention = map[Tier]time.Duration{}
		for _, tier := range Tiers {
			l.Retention[tier] = tier.Retention()
		}
	}
	return l
}

// keeps says whether an event of this age, in ms, is folded into the tier.
func (l Limits) keeps(tier Tier, age int64) bool { return age <= l.Retention[tier].Milliseconds() }

// Verdicts is the account of one source: received is the sum of the others.
type Verdicts struct {
	Received     uint64
	Applied      uint64
	Duplicate    uint64
	Filtered     uint64
	DeadLettered uint64

	// Next is the offset after the last record that was read, End the end of
	// the log: they differ by control records.
	Next, End int64

	// Compacted says that Kafka has removed superseded records, which were
	// counted by whoever read the log before.
	Compacted bool
}

// Times in keys and values are Unix milliseconds, UTC.
type (
	// DeadLetterKey is a refused record.
	DeadLetterKey struct {
		Source string
		Offset int64
	}
	// CounterKey is one cell of the table counters.
	CounterKey struct {
		Tier    Tier
		Account string
		Window  int64
		Feature string
		Metric  string
		Source  string
	}
	// MemberKey is one row of the table members: Member was in the set.
	MemberKey struct {
		CounterKey
		Member uint64
	}
	// UserMinuteKey is one row of the table user_minutes.
	UserMinuteKey struct {
		Account string
		Minute  int64
		User    uint64
		Source  string
	}
	// Span is the first and the last instant of something.
	Span struct{ First, Last int64 }
	// FactKey is one row of the table facts.
	FactKey struct {
		Kind    string
		Account string
		Entity  string
		At      int64
		Name    string
		User    uint64
		ID      uint64
		Source  string
	}
	// Fact is what a fact's row says beside its key.
	Fact struct {
		Offset     int64
		Value      float64
		Attributes map[string]string
	}
	// AccountChangeKey is one row of the table account_changes.
	AccountChangeKey struct {
		Account   string
		ValidFrom int64
		Source    string
		Offset    int64
	}
	// AccountChange is a patch to an account's attributes, or its removal.
	AccountChange struct {
		Deleted    bool
		Attributes map[string]string
	}
	// UserAccountKey is one row of the table user_accounts, whose value is the
	// account.
	UserAccountKey struct {
		Source string
		User   uint64
		Offset int64
	}
	// AccountUser is a user of an account, over all sources.
	AccountUser struct {
		Account string
		User    uint64
	}
)

// Result is what the log says, one map a table; derived figures (sessions,
// workflow runs, tickets) are methods.
type Result struct {
	Sources        map[string]Verdicts
	DeadLetters    map[DeadLetterKey]string // reason
	Counters       map[CounterKey]uint64
	Members        map[MemberKey]struct{}
	UserMinutes    map[UserMinuteKey]Span
	Facts          map[FactKey]Fact
	AccountChanges map[AccountChangeKey]AccountChange
	UserAccounts   map[UserAccountKey]string

	// visits are the times of every user's events, in the log's order.
	visits map[AccountUser][]int64

	telemetry  string    // the topic
	completeTo time.Time // to which the views take telemetry to be complete
}

func newResult() *Result {
	return &Result{
		Sources:        map[string]Verdicts{},
		DeadLetters:    map[DeadLetterKey]string{},
		Counters:       map[CounterKey]uint64{},
		Members:        map[MemberKey]struct{}{},
		UserMinutes:    map[UserMinuteKey]Span{},
		Facts:          map[FactKey]Fact{},
		AccountChanges: map[AccountChangeKey]AccountChange{},
		UserAccounts:   map[UserAccountKey]string{},
		visits:         map[AccountUser][]int64{},
	}
}

// Count reads every partition of the topics from the beginning to the end it has
// when it starts, and counts.
func Count(ctx context.Context, opts Options) (*Result, error) {
	log, err := Open(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	result := newResult()
	result.telemetry = opts.Telemetry
	for _, p := range log.Partitions {
		fold := NewFold(p, opts, result)
		verdicts := &Verdicts{Next: p.Start, End: p.End}
		err := log.Read(ctx, p, func(r Record) error {
			verdicts.Compacted = verdicts.Compacted || p.Topic == opts.Accounts && r.Offset != verdicts.Next
			verdicts.Next = r.Offset + 1
			got := fold.Take(r)
			verdicts.Add(got.Kind)
			if got.Kind == DeadLettered {
				result.DeadLetters[DeadLetterKey{p.Source, r.Offset}] = got.Reason
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		result.Sources[p.Source] = *verdicts
	}
	return result, nil
}

// Add counts one record more.
func (v *Verdicts) Add(kind VerdictKind) {
	v.Received++
	switch kind {
	case Applied:
		v.Applied++
	case Duplicate:
		v.Duplicate++
	case Filtered:
		v.Filtered++
	case DeadLettered:
		v.DeadLettered++
	}
}

// Count, Member and the others make a Result a Sink.

// Count adds n to a counter.
func (r *Result) Count(key CounterKey, n uint64, _ int64) { r.Counters[key] += n }

// Member puts a user into a set.
func (r *Result) Member(key MemberKey, _ int64) { r.Members[key] = struct{}{} }

// Visit dates an event of a user.
func (r *Result) Visit(key UserMinuteKey, at, _ int64) {
	who := AccountUser{key.Account, key.User}
	r.visits[who] = append(r.visits[who], at)
	span, ok := r.UserMinutes[key]
	if !ok {
		span = Span{at, at}
	}
	r.UserMinutes[key] = span.With(at)
}

// Fact keeps a fact.
func (r *Result) Fact(key FactKey, fact Fact) { r.Facts[key] = fact }

// AccountChange keeps a change of an account.
func (r *Result) AccountChange(key AccountChangeKey, change AccountChange) {
	r.AccountChanges[key] = change
}

// UserAccount keeps the account of a user.
func (r *Result) UserAccount(key UserAccountKey, account string) { r.UserAccounts[key] = account }
