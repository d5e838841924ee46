package doctor

import (
	"cmp"
	"slices"
	"time"
)

// Severity is who has to know, as in deploy/prometheus/alerts.yml.
type Severity string

// The severities, the gravest first.
const (
	Page   Severity = "page"   // now
	Ticket Severity = "ticket" // in the morning
	Note   Severity = "note"   // good to know
)

// Cause names what is wrong.
type Cause string

// The causes: what makes others fail comes first.
const (
	KafkaSilent       Cause = "kafka-does-not-answer"
	ClickHouseSilent  Cause = "clickhouse-does-not-answer"
	LoginRefused      Cause = "reader-login-refused"
	SetUp             Cause = "set-up" // what tidemark check finds
	DiskFull          Cause = "clickhouse-disk-full"
	ReadOnly          Cause = "clickhouse-read-only"
	TooManyParts      Cause = "clickhouse-too-many-parts"
	ClickHouseRefuses Cause = "clickhouse-refuses-inserts"
	PipelineGone      Cause = "pipeline-gone"
	PartitionStopped  Cause = "partition-stopped"
	PartitionUnowned  Cause = "partition-unowned"
	NormaliserGone    Cause = "normaliser-gone"
	RawTopicStalls    Cause = "raw-topic-stalls"
	RawTopicBehind    Cause = "raw-topic-behind"
	RecordsExpire     Cause = "records-expire-unread"
	Unaccounted       Cause = "records-unaccounted"
	OpenTransaction   Cause = "open-transaction"
	ProcessNotReady   Cause = "process-not-ready"
	CommitsFail       Cause = "commits-fail"
	ManyEvictions     Cause = "windows-loaded-on-demand"
	PartitionBehind   Cause = "partition-behind"
	FlushesSlow       Cause = "flushes-slow"
	CanariesLost      Cause = "canaries-lost"
	Undelivered       Cause = "alerts-undelivered"
	Unreadable        Cause = "dead-letters"
	MutationFails     Cause = "clickhouse-mutation-fails"
	WatermarkStands   Cause = "watermark-stands"
	FeaturesOver      Cause = "features-over-limit"
	FailedLogins      Cause = "failed-logins"
	ServerErrors      Cause = "clickhouse-errors"
	NotSeen           Cause = "not-seen" // what could not be looked at
)

// causes has them in the order in which one leads to another.
var causes = []Cause{
	KafkaSilent, ClickHouseSilent, LoginRefused, SetUp, DiskFull, ReadOnly, TooManyParts, ClickHouseRefuses, PipelineGone, PartitionStopped, PartitionUnowned,
	NormaliserGone, RawTopicStalls, RawTopicBehind, RecordsExpire, Unaccounted, OpenTransaction, ProcessNotReady, CommitsFail, ManyEvictions, PartitionBehind, FlushesSlow, CanariesLost, Undelivered,
	Unreadable, MutationFails, WatermarkStands, FeaturesOver, FailedLogins, ServerErrors, NotSeen,
}

// follows says which causes make others: a finding is told below the first of these that is found as well, because it ends with it.
var follows = map[Cause][]Cause{
	ClickHouseRefuses: {ClickHouseSilent, DiskFull, ReadOnly, TooManyParts},
	ProcessNotReady:   {KafkaSilent, ClickHouseSilent, PartitionStopped, RawTopicStalls},
	CommitsFail:       {KafkaSilent},
	PartitionBehind:   {KafkaSilent, ClickHouseSilent, DiskFull, ReadOnly, TooManyParts, ClickHouseRefuses, PipelineGone, ManyEvictions},
	FlushesSlow:       {ClickHouseSilent, DiskFull, ReadOnly, TooManyParts, ClickHouseRefuses},
	CanariesLost: {
		KafkaSilent, ClickHouseSilent, LoginRefused, DiskFull, ReadOnly, TooManyParts, ClickHouseRefuses, PipelineGone, PartitionStopped, PartitionUnowned,
		PartitionBehind,
	},
	WatermarkStands: {
		KafkaSilent, ClickHouseSilent, DiskFull, ReadOnly, TooManyParts, ClickHouseRefuses, PipelineGone, PartitionStopped, PartitionUnowned,
		OpenTransaction, PartitionBehind,
	},
	ServerErrors: {DiskFull, ReadOnly, TooManyParts, ClickHouseRefuses},
}

// Finding is one cause, and what is known of it.
type Finding struct {
	Cause    Cause      `json:"cause"`
	Severity Severity   `json:"severity"`
	Title    string     `json:"title"`
	Affects  string     `json:"affects,omitempty"`
	Since    *time.Time `json:"since,omitempty"` // null: not known
	Evidence []string   `json:"evidence,omitempty"`
	Do       []string   `json:"do,omitempty"`
	Runbook  string     `json:"runbook,omitempty"` // file in docs/runbooks
	Leads    []string   `json:"leads_to,omitempty"`
}

// rules are the questions that the facts are asked. Each finds any number of things.
var rules = []func(*Facts) []Finding{
	kafkaSilent, clickhouseSilent, setUp,
	disks, readOnly, parts, refusals, slowFlushes, mutations, logins, serverErrors,
	gone, stopped, unowned, expiring, transactions, behind, evictions, processes, commits, canaries, watermarks,
	rawTopics, unaccounted, deadLetters, undelivered, features,
	notSeen,
}

// Diagnose returns what is wrong, the gravest first, and among equals the cause before what it may cause. It is a function of
// the facts alone.
func Diagnose(f *Facts) []Finding {
	var found []Finding
	for _, rule := range rules {
		found = append(found, rule(f)...)
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity.rank(), b.Severity.rank()), cmp.Compare(slices.Index(causes, a.Cause), slices.Index(causes, b.Cause)))
	})
	return attribute(found)
}

func (s Severity) rank() int { return slices.Index([]Severity{Page, Ticket, Note}, s) }

// attribute moves what follows from a graver cause below that.
func attribute(found []Finding) []Finding {
	leads := map[Cause][]string{} // by the cause that is to blame
	var roots []Finding
	for i, one := range found {
		to := slices.IndexFunc(follows[one.Cause], func(of Cause) bool {
			return slices.ContainsFunc(found, func(other Finding) bool {
				return other.Cause == of && other.Severity.rank() <= max(one.Severity.rank(), Ticket.rank())
			})
		})
		if to < 0 {
			roots = append(roots, found[i])
			continue
		}
		of := follows[one.Cause][to]
		leads[of] = append(leads[of], one.Title)
	}
	for i := range roots { // the first of its kind tells it, and what follows from a follower is told there as well
		for _, c := range append([]Cause{roots[i].Cause}, below(roots[i].Cause)...) {
			roots[i].Leads = append(roots[i].Leads, leads[c]...)
			delete(leads, c)
		}
	}
	return roots
}

// below are the causes that follow from one.
func below(of Cause) []Cause {
	var all []Cause
	for _, c := range causes {
		if slices.Contains(follows[c], of) {
			all = append(all, c)
		}
	}
	return all
}

// Grave says whether something has to be done.
func Grave(found []Finding) bool {
	return slices.ContainsFunc(found, func(one Finding) bool { return one.Severity != Note })
}
