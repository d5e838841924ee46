package doctor

import (
	"fmt"
	"strings"
	"time"

	"tidemark/internal/preflight"
	"tidemark/pipeline/lag"
)

// tolerated is how long a record may wait before somebody is told, as TidemarkPartitionBehind has it.
const tolerated = 60.0

func kafkaSilent(f *Facts) []Finding {
	if f.KafkaError == "" {
		return nil
	}
	return []Finding{{
		Cause: KafkaSilent, Severity: Page, Title: "Kafka does not answer at " + strings.Join(f.Brokers, ", "),
		Affects:  "nothing is counted, and collectors refuse events; what Kafka has is safe",
		Evidence: []string{f.KafkaError},
		Do:       []string{"look at the brokers", "tidemark check"},
	}}
}

// gone finds that no pipeline is there. It is no reason to wake anybody as long as nothing waits.
func gone(f *Facts) []Finding {
	if f.Lag == nil || f.Lag.Group.Members > 0 {
		return nil
	}
	one := Finding{
		Cause: PipelineGone, Severity: Page, Title: "no pipeline runs: nobody is in the group " + f.Group, Runbook: "pipeline-gone.md",
		Affects: fmt.Sprintf("every account: %s, %s", preflight.Count(int(f.Lag.Total.LagRecords), "record")+" wait", oldest(f.Lag.Total.LagSeconds)),
		Do:      []string{"read the end of the workers' logs: it says why they ended", "tidemark run, on each of them; it goes on from the last commit"},
	}
	if f.Lag.Total.LagRecords == 0 {
		one.Severity, one.Affects = Ticket, "no record waits yet"
	}
	one.Evidence = []string{fmt.Sprintf("the group is %s and has no members", f.Lag.Group.State)}
	if f.Store != nil {
		var last Source
		for _, s := range f.Store.Sources {
			if s.ObservedAt.After(last.ObservedAt) {
				last = s
			}
		}
		if one.Since = at(last.ObservedAt); one.Since != nil {
			one.Evidence = append(one.Evidence, "the last that wrote was "+last.Instance)
		}
	}
	for _, s := range f.Setup {
		if s.Level == preflight.Error {
			one.Evidence = append(one.Evidence, "tidemark check: "+s.Subject+": "+s.Text)
		}
	}
	return []Finding{one}
}

// waitsSince is since when the oldest record waits; nil: none does for long.
func (f *Facts) waitsSince() *time.Time {
	if f.Lag == nil || f.Lag.Total.LagSeconds == nil || *f.Lag.Total.LagSeconds < 5 {
		return nil
	}
	return f.before(*f.Lag.Total.LagSeconds)
}

func oldest(seconds *float64) string {
	if seconds == nil {
		return "the oldest for nobody knows how long"
	}
	return "the oldest for " + ago(*seconds)
}

func name(s *lag.Source) string { return fmt.Sprintf("%s/%d", s.Topic, s.Partition) }

// sources are those of which a rule holds.
func (f *Facts) sources(holds func(*lag.Source) bool) []*lag.Source {
	var all []*lag.Source
	if f.Lag == nil {
		return nil
	}
	for i := range f.Lag.Sources {
		if holds(&f.Lag.Sources[i]) {
			all = append(all, &f.Lag.Sources[i])
		}
	}
	return all
}

// accounts says whom some sources have.
func (f *Facts) accounts(of ...*lag.Source) string {
	var n uint64
	var names []string
	for _, s := range of {
		names = append(names, name(s))
		if p := f.progress(s); p != nil {
			n += p.Accounts
		}
	}
	where := " of " + some(names, 5)
	if n == 0 {
		return "the accounts" + where
	}
	return preflight.Count(int(n), "account") + where + ", by the last 7 days"
}

// progress is what the source's owner last wrote; nil if that is not known.
func (f *Facts) progress(s *lag.Source) *Source {
	if f.Store == nil {
		return nil
	}
	for i := range f.Store.Sources {
		if p := &f.Store.Sources[i]; p.Source == name(s)+"@"+s.TopicID {
			return p
		}
	}
	return nil
}

func unowned(f *Facts) []Finding {
	if f.Lag == nil || f.Lag.Group.Members == 0 {
		return nil
	}
	without := f.sources(func(s *lag.Source) bool { return s.State == lag.Unassigned })
	if len(without) == 0 {
		return nil
	}
	one := Finding{
		Cause: PartitionUnowned, Severity: Note, Affects: f.accounts(without...), Runbook: "partition-behind.md",
		Title:    fmt.Sprintf("nobody owns %s of %d", preflight.Count(len(without), "partition"), len(f.Lag.Sources)),
		Evidence: []string{fmt.Sprintf("the group is %s and has %s", f.Lag.Group.State, preflight.Count(f.Lag.Group.Members, "member"))},
		Do:       []string{"wait a minute: a rebalance ends by itself", "if it does not, restart the worker that the others' logs name"},
	}
	for _, s := range without {
		if s.LagRecords > 0 && (s.LagSeconds == nil || *s.LagSeconds > tolerated) {
			one.Severity = Page
		}
		if s.LagSeconds != nil && s.LagRecords > 0 {
			one.Since = earliest(one.Since, f.before(*s.LagSeconds))
		}
	}
	return []Finding{one}
}

// expiring finds records that Kafka will delete before they are read, if nothing changes.
func expiring(f *Facts) []Finding {
	var found []Finding
	for _, s := range f.sources(func(s *lag.Source) bool { return s.LagRecords > 0 && s.LagSeconds != nil }) {
		kept, known := f.Kept[s.Topic]
		left := kept - *s.LagSeconds
		if !known || left > kept/4 {
			continue
		}
		found = append(found, Finding{
			Cause: RecordsExpire, Severity: Page, Title: fmt.Sprintf("Kafka will delete unread records of %s in %s", name(s), ago(max(left, 0))),
			Affects:  f.accounts(s) + ": what is deleted unread is never counted",
			Since:    f.before(*s.LagSeconds),
			Evidence: []string{fmt.Sprintf("the oldest of %s has waited for %s, and is kept for %s", preflight.Count(int(s.LagRecords), "unread record"), ago(*s.LagSeconds), ago(kept))},
			Do:       []string{f.keepLonger(s.Topic), "then mend what keeps them from being read, below"},
		})
	}
	return found
}

// keepLonger is the command that doubles how long a topic's records are kept.
func (f *Facts) keepLonger(topic string) string {
	ms := int64(f.Kept[topic] * 2 * 1000)
	if ms == 0 {
		ms = -1
	}
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config retention.ms=%d",
		strings.Join(f.Brokers, ","), topic, ms)
}

func transactions(f *Facts) []Finding {
	held := f.sources(func(s *lag.Source) bool { return s.HeldBack > 0 })
	if len(held) == 0 {
		return nil
	}
	one := Finding{
		Cause: OpenTransaction, Severity: Note, Affects: f.accounts(held...), Do: []string{"run tidemark doctor again: it is over within moments, most often"},
		Evidence: []string{"a transaction that goes on for longer than its time-out is aborted by Kafka; one that hangs is not"},
	}
	var records int64
	var names []string
	for _, s := range held {
		records += s.HeldBack
		names = append(names, name(s))
	}
	one.Title = fmt.Sprintf("an open transaction holds back %s of %s", preflight.Count(int(records), "record"), some(names, 5))
	for _, s := range held[:min(len(held), 3)] {
		one.Do = append(one.Do, fmt.Sprintf("kafka-transactions.sh --bootstrap-server %s describe-producers --topic %s --partition %d", strings.Join(f.Brokers, ","), s.Topic, s.Partition))
	}
	return []Finding{one}
}
