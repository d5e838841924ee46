package doctor

import (
	"fmt"
	"time"

	"tidemark/internal/preflight"
)

// rawTolerated is how long a raw record may wait before somebody is told, as TidemarkRawTopicBehind has it.
const rawTolerated = 300.0

// rawTopics finds topics of other systems that are not normalised.
func rawTopics(f *Facts) []Finding {
	r := f.Raw
	if r == nil {
		return nil
	}
	var found []Finding
	for _, topic := range r.MissingTopics {
		found = append(found, Finding{
			Cause: RawTopicStalls, Severity: Page, Title: "the raw topic " + topic + " is not there", Runbook: "normaliser.md",
			Affects: "what would be written into it; other topics go on", Do: []string{"create it, or correct normalise.topics"},
		})
	}
	if r.Group.Members == 0 {
		return append(found, f.normaliserGone())
	}
	said := f.stalledTopics()
	for _, t := range f.rawWaits() {
		switch why, stalls := said[t.name]; {
		case stalls:
			found = append(found, Finding{
				Cause: RawTopicStalls, Severity: Page, Title: "the raw topic " + t.name + " is not normalised", Runbook: "normaliser.md", Since: t.since,
				Affects: preflight.Count(int(t.records), "record") + " of it wait; other topics go on", Evidence: []string{why}, Do: []string{"mend what it says: the topic goes on by itself"},
			})
		case t.seconds > rawTolerated:
			found = append(found, Finding{
				Cause: RawTopicBehind, Severity: Ticket, Title: fmt.Sprintf("the raw topic %s is normalised late: the oldest record has waited for %s", t.name, ago(t.seconds)),
				Runbook: "normaliser.md", Since: t.since, Affects: preflight.Count(int(t.records), "record") + " of it wait; they count in the windows of their event times",
				Do: []string{"wait, if it falls: tidemark lag --watch", "more processes, at most one a partition; name their admin ports with --admin to see whether one stands still"},
			})
		}
	}
	return found
}

func (f *Facts) normaliserGone() Finding {
	r := f.Raw
	one := Finding{
		Cause: NormaliserGone, Severity: Page, Title: "no normaliser runs: nobody is in the group " + r.Group.Name, Runbook: "normaliser.md",
		Affects:  fmt.Sprintf("what other systems write into raw topics: %s wait, %s", preflight.Count(int(r.Total.LagRecords), "record"), oldest(r.Total.LagSeconds)),
		Evidence: []string{fmt.Sprintf("the group is %s and has no members", r.Group.State)},
		Do:       []string{"read the end of its log: it says why it ended", "tidemark normalise; it goes on from the last commit"},
	}
	if r.Total.LagRecords == 0 {
		one.Severity, one.Affects = Ticket, "no raw record waits yet"
	}
	return one
}

// rawWait is what waits of a raw topic.
type rawWait struct {
	name    string
	records int64
	seconds float64 // of the oldest that is known
	since   *time.Time
}

func (f *Facts) rawWaits() []rawWait {
	var all []rawWait
	for i := range f.Raw.Sources {
		s := &f.Raw.Sources[i]
		if len(all) == 0 || all[len(all)-1].name != s.Topic {
			all = append(all, rawWait{name: s.Topic})
		}
		t := &all[len(all)-1]
		t.records += s.LagRecords
		if s.LagRecords > 0 && s.LagSeconds != nil {
			t.seconds = max(t.seconds, *s.LagSeconds)
			t.since = f.before(t.seconds)
		}
	}
	return all
}

// stalledTopics are those that a normaliser says do not go on, with the reason, which is on its /readyz.
func (f *Facts) stalledTopics() map[string]string {
	said := map[string]string{}
	for i := range f.Processes {
		p := &f.Processes[i]
		p.After.Each("tidemark_normalise_stalled", func(labels map[string]string, value float64) {
			if value == 1 {
				said[labels["topic"]] = p.URL + " says: " + p.Said
			}
		})
	}
	return said
}
