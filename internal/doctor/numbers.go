package doctor

import (
	"fmt"
	"slices"
	"strings"

	"tidemark/internal/preflight"
)

const (
	// manyDead is the share of a topic's records, and someDead their number in an hour, beyond which dead letters are more than noise.
	manyDead, someDead = 0.05, 20
	// undeliveredFor is how long an alert may wait, as TidemarkAlertsUndelivered has it.
	undeliveredFor = 300.0
)

func unaccounted(f *Facts) []Finding {
	if f.Store == nil || len(f.Store.Violations) == 0 {
		return nil
	}
	one := Finding{
		Cause: Unaccounted, Severity: Page, Title: preflight.Count(len(f.Store.Violations), "pair") + " of checkpoints that do not add up", Runbook: "accounting.md",
		Affects: "the numbers of these partitions cannot be trusted until it is known why", Since: at(f.Store.Violations[0].At),
	}
	for _, v := range f.Store.Violations[:min(len(f.Store.Violations), 5)] {
		one.Evidence = append(one.Evidence, fmt.Sprintf("%s, offsets %d to %d: %s", v.Source, v.From, v.To, v.What))
	}
	first := f.Store.Violations[0]
	topic, rest, _ := strings.Cut(first.Source, "/")
	partition, _, _ := strings.Cut(rest, "@")
	one.Do = []string{f.keepLonger(topic) + " (with the log every row can be computed again)",
		fmt.Sprintf("tidemark verify --topic %s --partition %s --from %d", topic, partition, first.From)}
	return []Finding{one}
}

// deadLetters tells of each topic what could not be read. Some are noise; many are a producer that sends another format.
func deadLetters(f *Facts) []Finding {
	if f.Store == nil {
		return nil
	}
	byTopic := map[string]*Finding{}
	dead := map[string]uint64{}
	var found []*Finding
	for _, d := range f.Store.DeadLetters {
		one := byTopic[d.Topic]
		if one == nil {
			one = &Finding{
				Cause: Unreadable, Severity: Note, Affects: "whoever's records these are; the others are counted, and these are kept", Runbook: "dead-letters.md",
				Do: []string{"find the producer and tell its owner; a release that began at that time is the cause most often", "mend and produce them again: they count in the windows of their event times"},
			}
			byTopic[d.Topic] = one
			found = append(found, one)
		}
		dead[d.Topic] += d.Records
		one.Since = earliest(one.Since, at(d.First))
		one.Evidence = append(one.Evidence, fmt.Sprintf("%s: %s, last %s at offset %d: %s", d.Reason, preflight.Count(int(d.Records), "record"), //nolint:gosec // small
			d.Source, d.Offset, firstLine(d.Detail)))
		one.Title = fmt.Sprintf("%s of %s of the last hour could not be read", preflight.Count(int(dead[d.Topic]), "record"), d.Topic) //nolint:gosec // small
		if share := float64(dead[d.Topic]) / float64(max(d.Received, dead[d.Topic])); share > manyDead && dead[d.Topic] >= someDead {
			one.Severity = Ticket
			one.Title += fmt.Sprintf(", %.0f %%", 100*share)
		}
	}
	out := make([]Finding, len(found))
	for i, one := range found {
		out[i] = *one
	}
	return out
}

func undelivered(f *Facts) []Finding {
	if f.Store == nil {
		return nil
	}
	var found []Finding
	for _, t := range f.Store.Targets {
		late := t.Oldest != nil && f.At.Sub(*t.Oldest).Seconds() > undeliveredFor
		if !late && t.Dead == 0 && !t.Disabled {
			continue
		}
		one := Finding{
			Cause: Undelivered, Severity: Ticket, Title: "alerts do not reach " + t.Name, Runbook: "deliveries.md", Affects: "whoever is told there; alerts are kept",
			Evidence: []string{fmt.Sprintf("%d wait, %d were given up", t.Waiting, t.Dead)},
			Do:       []string{"tidemark triggers send-test " + t.Name},
		}
		if late {
			one.Since = at(*t.Oldest)
		}
		if t.Detail != "" {
			one.Evidence = append(one.Evidence, "the last attempt: "+firstLine(t.Detail))
		}
		if t.Disabled {
			one.Evidence = append(one.Evidence, "it said that it is gone: "+firstLine(t.Reason))
			one.Do = append(one.Do, "give it its new address in triggers.targets")
		}
		if t.Dead > 0 {
			one.Do = append(one.Do, "tidemark triggers deliveries redrive --help, once it answers")
		}
		found = append(found, one)
	}
	return found
}

func features(f *Facts) []Finding {
	n := 0.0
	for i := range f.Processes {
		n += f.Processes[i].Grown("tidemark_features_over_limit_total")
	}
	if n == 0 {
		return nil
	}
	return []Finding{{
		Cause: FeaturesOver, Severity: Note, Title: "an account uses more features in a day than are counted by name", Runbook: "features.md",
		Affects: "that account's features beyond pipeline.max_features, which count as __other__", Evidence: []string{fmt.Sprintf("%.0f uses while we looked", n)},
		Do: []string{"SELECT account_id, uses FROM features_day WHERE feature = '__other__' AND window_start >= today() - 1 ORDER BY uses DESC LIMIT 10"},
	}}
}

// notSeen lists what the findings do not stand on.
func notSeen(f *Facts) []Finding {
	one := Finding{
		Cause: NotSeen, Severity: Note, Title: "some things could not be looked at",
		Affects: "what is said above: there may be more to it",
	}
	for i := range f.Processes {
		if p := &f.Processes[i]; p.Error != "" {
			one.Evidence = append(one.Evidence, p.URL+" does not answer: "+p.Error)
			one.Do = append(one.Do, "name the admin ports of all processes with --admin")
		}
	}
	if f.StoreError != "" && !slices.ContainsFunc(f.Servers, func(s Server) bool { return s.Error != "" }) { // which says why
		one.Evidence = append(one.Evidence, "the views: "+f.StoreError)
		one.Do = append(one.Do, "tidemark migrate, if tables are missing")
	}
	for _, s := range f.Servers {
		for _, table := range s.Unknown {
			one.Evidence = append(one.Evidence, s.Addr+": the reader may not read "+table)
			one.Do = append(one.Do, "GRANT SELECT ON "+table+" TO the user of clickhouse.reader")
		}
	}
	if one.Evidence == nil {
		return nil
	}
	one.Do = unique(one.Do)
	return []Finding{one}
}
