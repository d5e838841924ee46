// Package clickhouse writes rollups to ClickHouse and loads them again.
//
// Everything written is a keyed row with an absolute value, so that a row written twice, late or by two writers merges to
// the same row (docs/design.md, invariant 2). Rows are kept by column, as the native protocol wants them.
package clickhouse

import "slices"

// Tier is the length of a window.
type Tier int8

// The tiers; the values are those of the tables' Enum8.
const (
	Minute Tier = 1
	Hour   Tier = 2
	Day    Tier = 3
)

// Tiers lists all tiers, shortest first.
var Tiers = [...]Tier{Minute, Hour, Day}

// Seconds returns the length of the tier's windows.
func (t Tier) Seconds() int64 {
	switch t {
	case Minute:
		return 60
	case Hour:
		return 3600
	default:
		return 86400
	}
}

// Start returns the start, in Unix seconds, of the tier's window that holds the time, in Unix ms, which is not negative.
func (t Tier) Start(ms int64) int64 {
	switch t { // by constants: it is done some times for every event, and dividing by a variable is slow
	case Minute:
		return ms / 60_000 * 60
	case Hour:
		return ms / 3_600_000 * 3600
	default:
		return ms / 86_400_000 * 86400
	}
}

// Counters are rows of the table counters: absolute counts and sums.
type Counters struct {
	Tier          []int8
	AccountID     Words
	WindowStart   []int64 // Unix seconds
	Feature       Words
	Metric        Words
	Source        Words
	Value         []uint64
	AppliedOffset []uint64
}

// Append appends a row.
func (c *Counters) Append(tier Tier, account string, start int64, feature, metric, source string, value, applied uint64) {
	c.Tier = append(c.Tier, int8(tier))
	c.AccountID.Append(account)
	c.WindowStart = append(c.WindowStart, start)
	c.Feature.Append(feature)
	c.Metric.Append(metric)
	c.Source.Append(source)
	c.Value = append(c.Value, value)
	c.AppliedOffset = append(c.AppliedOffset, applied)
}

// appendAll appends rows of others, to be read only.
func (c *Counters) appendAll(other *Counters) {
	c.Tier, c.WindowStart = append(c.Tier, other.Tier...), append(c.WindowStart, other.WindowStart...)
	c.Value, c.AppliedOffset = append(c.Value, other.Value...), append(c.AppliedOffset, other.AppliedOffset...)
	c.AccountID.appendAll(&other.AccountID)
	c.Feature.appendAll(&other.Feature)
	c.Metric.appendAll(&other.Metric)
	c.Source.appendAll(&other.Source)
}

// Grow makes room for n more rows.
func (c *Counters) Grow(n int) {
	c.Tier, c.WindowStart = slices.Grow(c.Tier, n), slices.Grow(c.WindowStart, n)
	c.Value, c.AppliedOffset = slices.Grow(c.Value, n), slices.Grow(c.AppliedOffset, n)
	for _, w := range []*Words{&c.AccountID, &c.Feature, &c.Metric, &c.Source} {
		w.Grow(n)
	}
}

// Members are rows of the table member_sets: each says that members belong to a distinct set.
type Members struct {
	Tier        []int8
	AccountID   Words
	WindowStart []int64 // Unix seconds
	Feature     Words
	Metric      Words
	Members     Sets
	Source      Words
}

// UserMinutes are rows of the table user_minutes: a user's first and last event in a minute.
type UserMinutes struct {
	AccountID Words
	Minute    []int64 // Unix seconds
	User      []uint64
	Source    Words
	First     []int64 // Unix ms
	Last      []int64 // Unix ms
}

// Grow makes room for n more rows.
func (u *UserMinutes) Grow(n int) {
	u.AccountID.Grow(n)
	u.Source.Grow(n)
	u.Minute, u.User = slices.Grow(u.Minute, n), slices.Grow(u.User, n)
	u.First, u.Last = slices.Grow(u.First, n), slices.Grow(u.Last, n)
}

// Facts are rows of the table facts: each says that something happened once to an entity of an account.
type Facts struct {
	Kind       []string
	AccountID  []string
	Entity     []string
	At         []int64 // Unix ms
	Name       []string
	User       []uint64
	ID         []uint64
	Source     []string
	Offset     []uint64
	Value      []float64
	Attributes []map[string]string
}

// Fact is a row of the table facts.
type Fact struct {
	Kind       string
	AccountID  string
	Entity     string
	At         int64 // Unix ms
	Name       string
	User       uint64
	ID         uint64 // by which duplicates are found; 0 = it has none: its offset tells it from another of the same time
	Source     string
	Offset     uint64
	Value      float64
	Attributes map[string]string
}

// Add appends a fact.
func (f *Facts) Add(fact Fact) {
	if fact.ID == 0 {
		fact.ID = fact.Offset + 1
	}
	f.Kind = append(f.Kind, fact.Kind)
	f.AccountID = append(f.AccountID, fact.AccountID)
	f.Entity = append(f.Entity, fact.Entity)
	f.At = append(f.At, fact.At)
	f.Name = append(f.Name, fact.Name)
	f.User = append(f.User, fact.User)
	f.ID = append(f.ID, fact.ID)
	f.Source = append(f.Source, fact.Source)
	f.Offset = append(f.Offset, fact.Offset)
	f.Value = append(f.Value, fact.Value)
	f.Attributes = append(f.Attributes, fact.Attributes)
}

// AccountChanges are rows of the table account_changes: attributes of an account from a time on.
type AccountChanges struct {
	AccountID  []string
	ValidFrom  []int64 // Unix ms
	Source     []string
	Offset     []uint64
	Deleted    []uint8
	Attributes []map[string]string
}

// UserAccounts are rows of the table user_accounts: the account of a user from an offset on.
type UserAccounts struct {
	Source    []string
	User      []uint64
	Offset    []uint64
	AccountID []string
}

// DeadLetters are rows of the table dead_letters.
type DeadLetters struct {
	Source   []string
	Offset   []uint64
	Reason   []string
	Detail   []string
	LogTime  []int64 // Unix ms
	Key      []string
	Size     []uint32
	Field    []string // that was wrong; empty = none in particular
	Producer []string // that made the record, as far as that says; empty = it does not
}

// Checkpoint is the account of a source's whole log prefix: received = applied + duplicate + filtered + dead-lettered
// (invariant 5). It is a function of the prefix, so that two writers of it never disagree.
type Checkpoint struct {
	Source       string
	Offset       uint64 // the next offset to read
	Received     uint64
	Applied      uint64
	Duplicate    uint64
	Filtered     uint64
	DeadLettered uint64
	Watermark    int64 // Unix ms
	MaxEventTime int64 // Unix ms
	LogTime      int64 // latest record timestamp, Unix ms
	Catalogue    string
}

// Checkpoints are rows of the table checkpoints.
type Checkpoints struct {
	Source       []string
	Offset       []uint64 // the next offset to read
	Received     []uint64
	Applied      []uint64
	Duplicate    []uint64
	Filtered     []uint64
	DeadLettered []uint64
	Watermark    []int64 // Unix ms
	MaxEventTime []int64 // Unix ms
	LogTime      []int64 // Unix ms
	Catalogue    []string
}

// Progress are rows of the table source_progress: where a source was seen to stand. They are observations, not rollups.
type Progress struct {
	Source     []string
	ObservedAt []int64 // Unix ms
	Position   []uint64
	EndOffset  []uint64
	Watermark  []int64 // Unix ms
	Instance   []string
}

// Batch is what one or more flushes write. The zero Batch is empty and ready for use.
type Batch struct {
	Counters       Counters
	Members        Members
	UserMinutes    UserMinutes
	Facts          Facts
	AccountChanges AccountChanges
	UserAccounts   UserAccounts
	DeadLetters    DeadLetters
}

// Rows returns the number of rows in all tables.
func (b *Batch) Rows() int {
	return len(b.Counters.Value) + b.Members.Members.Rows() + len(b.UserMinutes.User) + len(b.Facts.ID) +
		len(b.AccountChanges.Offset) + len(b.UserAccounts.User) + len(b.DeadLetters.Offset)
}

// Reset empties the batch and keeps its room, for rows to come.
func (b *Batch) Reset() {
	for _, t := range b.tables() {
		for _, c := range t.columns {
			c.reset()
		}
	}
}

// table names a table, without its _all, and its columns as the INSERT lists them, without the generation.
type table struct {
	name    string
	columns []column
	tier    *[]int8 // with account, what the rows are in order of; nil = they are in no order
	account *Words
}

func (t table) rows() int { return t.columns[0].rows() }

func (b *Batch) tables() []table {
	c, m, u, f := &b.Counters, &b.Members, &b.UserMinutes, &b.Facts
	a, w, d := &b.AccountChanges, &b.UserAccounts, &b.DeadLetters
	return []table{
		{name: "counters", tier: &c.Tier, account: &c.AccountID, columns: []column{
			col("tier", &c.Tier), words("account_id", &c.AccountID), col("window_start", &c.WindowStart), words("feature", &c.Feature),
			words("metric", &c.Metric), words("source", &c.Source), col("value", &c.Value), col("applied_offset", &c.AppliedOffset),
		}},
		{name: "member_sets", tier: &m.Tier, account: &m.AccountID, columns: []column{
			col("tier", &m.Tier), words("account_id", &m.AccountID), col("window_start", &m.WindowStart), words("feature", &m.Feature),
			words("metric", &m.Metric), sets("members", &m.Members), words("source", &m.Source),
		}},
		{name: "user_minutes", account: &u.AccountID, columns: []column{
			words("account_id", &u.AccountID), col("minute", &u.Minute), col("user", &u.User), words("source", &u.Source),
			col("first", &u.First), col("last", &u.Last),
		}},
		{name: "facts", columns: []column{
			col("kind", &f.Kind), col("account_id", &f.AccountID), col("entity", &f.Entity), col("at", &f.At), col("name", &f.Name),
			col("user", &f.User), col("id", &f.ID), col("source", &f.Source), col("offset", &f.Offset), col("value", &f.Value),
			col("attributes", &f.Attributes),
		}},
		{name: "account_changes", columns: []column{
			col("account_id", &a.AccountID), col("valid_from", &a.ValidFrom), col("source", &a.Source), col("offset", &a.Offset),
			col("deleted", &a.Deleted), col("attributes", &a.Attributes),
		}},
		{name: "user_accounts", columns: []column{
			col("source", &w.Source), col("user", &w.User), col("offset", &w.Offset), col("account_id", &w.AccountID),
		}},
		{name: "dead_letters", columns: []column{
			col("source", &d.Source), col("offset", &d.Offset), col("reason", &d.Reason), col("detail", &d.Detail),
			col("log_time", &d.LogTime), col("key", &d.Key), col("size", &d.Size), col("field", &d.Field), col("producer", &d.Producer),
		}},
	}
}

// Add appends a checkpoint.
func (c *Checkpoints) Add(p Checkpoint) {
	c.Source = append(c.Source, p.Source)
	c.Offset = append(c.Offset, p.Offset)
	c.Received = append(c.Received, p.Received)
	c.Applied = append(c.Applied, p.Applied)
	c.Duplicate = append(c.Duplicate, p.Duplicate)
	c.Filtered = append(c.Filtered, p.Filtered)
	c.DeadLettered = append(c.DeadLettered, p.DeadLettered)
	c.Watermark = append(c.Watermark, max(p.Watermark, 0))
	c.MaxEventTime = append(c.MaxEventTime, p.MaxEventTime)
	c.LogTime = append(c.LogTime, p.LogTime)
	c.Catalogue = append(c.Catalogue, p.Catalogue)
}

func (c *Checkpoints) table() table {
	return table{name: "checkpoints", columns: []column{
		col("source", &c.Source), col("offset", &c.Offset), col("received", &c.Received), col("applied", &c.Applied),
		col("duplicate", &c.Duplicate), col("filtered", &c.Filtered), col("dead_lettered", &c.DeadLettered),
		col("watermark", &c.Watermark), col("max_event_time", &c.MaxEventTime), col("log_time", &c.LogTime),
		col("catalogue", &c.Catalogue),
	}}
}

func (p *Progress) table() table {
	return table{name: "source_progress", columns: []column{
		col("source", &p.Source), col("observed_at", &p.ObservedAt), col("position", &p.Position), col("end_offset", &p.EndOffset),
		col("watermark", &p.Watermark), col("instance", &p.Instance),
	}}
}
