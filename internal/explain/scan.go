package explain

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/internal/recount"
	"tidemark/schemas"
)

// readLog looks for the window's events in the log.
func (s *session) readLog(ctx context.Context) error {
	if len(s.result.Sources) == 0 {
		return nil
	}
	log, err := recount.Open(ctx, s.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	for i := range s.result.Sources {
		of := &s.result.Sources[i]
		n := slices.IndexFunc(log.Partitions, func(p recount.Partition) bool { return p.Source == of.Source })
		if n < 0 {
			of.Why = "its log is gone: the topic was created anew"
			continue
		}
		if err := s.scan(ctx, log, log.Partitions[n], of); err != nil {
			return fmt.Errorf("%s: %w", of.Source, err)
		}
	}
	return nil
}

// scan reads the part of a partition that can hold events of the window, as far as is allowed. Earlier records are too
// old, as the checkpoints tell, and later ones are beyond what the rows have applied; repeats may come a while later.
func (s *session) scan(ctx context.Context, log *recount.Log, p recount.Partition, of *Source) error {
	var before uint64
	var highest int64
	err := s.conn.QueryRow(ctx, `SELECT max(offset), toUnixTimestamp64Milli(max(max_event_time)) FROM checkpoints
		WHERE source = ? AND max_event_time < fromUnixTimestamp64Milli(?)`, p.Source, s.Window.Start.UnixMilli()).Scan(&before, &highest)
	if err != nil {
		return err
	}
	reach := s.Log.Limits.DedupRecords
	of.From = max(int64(before), p.Start)
	end := min(max(of.AppliedOffset+1+reach, of.From), p.End, max(of.Checkpoint, of.From))
	of.To = min(end, of.From+s.Scan)
	switch {
	case of.To < end:
		of.Why = fmt.Sprintf("events of the window may lie up to offset %d; allow more with --scan", end)
	case of.From > int64(before):
		of.Why = fmt.Sprintf("Kafka has deleted what lay before offset %d", p.Start)
	default:
		of.Whole = true
	}
	c := &finder{session: s, source: of, highest: highest}
	warm := p
	warm.Start, warm.End = max(p.Start, of.From-reach), of.To
	fold := recount.NewFold(p, s.Log, c.sink(&c.hit))
	fold.Repeats = c.sink(&c.repeat)
	if err := s.learn(ctx, p, of.From, fold); err != nil {
		return err
	}
	return log.Read(ctx, warm, func(r recount.Record) error {
		if r.Offset < of.From {
			fold.Warm(r)
			return nil
		}
		c.take(r, fold)
		return nil
	})
}

// learn tells the fold the accounts of users as of an offset.
func (s *session) learn(ctx context.Context, p recount.Partition, at int64, fold *recount.Fold) error {
	if p.Topic != s.Log.Telemetry || at == 0 {
		return nil
	}
	return s.query(ctx, `SELECT user, argMax(account_id, offset) AS account FROM user_accounts
		WHERE source = ? AND offset < ? GROUP BY user HAVING account = ?`, []any{p.Source, uint64(at), s.Account}, func(rows driver.Rows) error { //nolint:gosec // not negative
		var user uint64
		var account string
		err := rows.Scan(&user, &account)
		fold.Learn(user, account)
		return err
	})
}

// finder tells which records count in the inputs.
type finder struct {
	session     *session
	source      *Source
	highest     int64 // event time so far, Unix ms
	hit, repeat bool  // the record at hand counts, or would
}

func (c *finder) take(r recount.Record, fold *recount.Fold) {
	c.hit, c.repeat = false, false
	v := fold.Take(r)
	event := Event{Offset: r.Offset, ID: v.ID, Name: v.Name, At: time.UnixMilli(v.At).UTC(), Logged: time.UnixMilli(r.Time).UTC()}
	add := func(count *uint64, to *[]Event) {
		if *count++; len(*to) < c.session.Samples {
			*to = append(*to, event)
		}
	}
	switch {
	case c.repeat:
		add(&c.source.Duplicates, &c.source.DroppedSamples)
	case c.hit:
		add(&c.source.Events, &c.source.Samples)
		if c.highest-c.session.Disorder.Milliseconds() >= c.session.Window.End.UnixMilli() {
			add(&c.source.Late, &c.source.LateSamples)
		}
	}
	if v.Kind == recount.Applied {
		c.highest = max(c.highest, v.At)
	}
}

// sink sets a flag when something is counted in one of the inputs.
func (c *finder) sink(flag *bool) recount.Sink { return &sink{c.session, flag} }

type sink struct {
	*session
	flag *bool
}

// Count is for counts, sums and features used.
func (s *sink) Count(key recount.CounterKey, n uint64, _ int64) {
	if n > 0 && s.in(key) && s.takes(func(m schemas.Metric) bool {
		return m.Name == key.Metric || m.Aggregate == schemas.FeaturesUsed && key.Metric == s.featureUses()
	}) {
		*s.flag = true
	}
}

// Member is for distinct users and active days.
func (s *sink) Member(key recount.MemberKey, _ int64) {
	if s.in(key.CounterKey) && s.takes(func(m schemas.Metric) bool {
		return m.Name == key.Metric || m.Aggregate == schemas.ActiveDays && key.Metric == "active_users"
	}) {
		*s.flag = true
	}
}

// Visit is for sessions and active time.
func (s *sink) Visit(key recount.UserMinuteKey, _, _ int64) {
	if key.Account == s.Account && s.Window.holds(key.Minute) && s.takes(func(m schemas.Metric) bool {
		return m.Aggregate == schemas.Sessions || m.Aggregate == schemas.SessionSeconds || m.Aggregate == schemas.ActiveSeconds
	}) {
		*s.flag = true
	}
}

// Fact is for workflows and tickets.
func (s *sink) Fact(key recount.FactKey, _ recount.Fact) {
	if key.Account == s.Account && s.Window.holds(key.At) && s.takes(func(m schemas.Metric) bool {
		return key.Kind == "ticket" && m.Aggregate == schemas.TicketFacts ||
			key.Kind == "workflow" && m.Aggregate == schemas.WorkflowRuns && (s.By == "" || s.By == key.Entity)
	}) {
		*s.flag = true
	}
}

// AccountChange is no input.
func (s *sink) AccountChange(recount.AccountChangeKey, recount.AccountChange) {}

// UserAccount is no input.
func (s *sink) UserAccount(recount.UserAccountKey, string) {}

// in says whether a key is in the window, and of the feature that was asked for.
func (s *sink) in(key recount.CounterKey) bool {
	return key.Account == s.Account && key.Tier == s.Window.tier && s.Window.holds(key.Window) && (s.By == "" || s.By == key.Feature)
}

func (s *sink) takes(m func(schemas.Metric) bool) bool { return slices.ContainsFunc(s.inputs, m) }
