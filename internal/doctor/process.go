package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tidemark/internal/preflight"
	"tidemark/pipeline/lag"
)

// manyLoads is how many windows a second an event may ask back before that is worth a word.
const manyLoads = 1000.0

// behind finds partitions whose records wait too long, but for those of which another rule knows why.
func behind(f *Facts) []Finding {
	late := f.sources(func(s *lag.Source) bool {
		return (s.State == lag.OK || s.State == lag.Uncommitted || s.State == lag.NewLog) && s.LagRecords > 0 && (s.LagSeconds == nil || *s.LagSeconds > tolerated)
	})
	for _, one := range stopped(f) { // its lag is told there
		late = slices.DeleteFunc(late, func(s *lag.Source) bool { return strings.HasPrefix(one.Title, name(s)+" ") })
	}
	if len(late) == 0 {
		return nil
	}
	slices.SortStableFunc(late, func(a, b *lag.Source) int { return cmp.Compare(waited(b), waited(a)) })
	one := Finding{
		Cause: PartitionBehind, Severity: Page, Affects: f.accounts(late...), Runbook: "partition-behind.md",
		Title: fmt.Sprintf("%s of %d behind, the worst is %s: %s", preflight.Count(len(late), "partition"), len(f.Lag.Sources), name(late[0]), oldest(late[0].LagSeconds)),
	}
	for _, s := range late[:min(len(late), 5)] {
		one.Evidence = append(one.Evidence, fmt.Sprintf("%s: %s, %s, at %s", name(s), preflight.Count(int(s.LagRecords), "record"), oldest(s.LagSeconds), cmp.Or(s.Owner, "nobody")))
		if s.LagSeconds != nil {
			one.Since = earliest(one.Since, f.before(*s.LagSeconds))
		}
	}
	falls := f.trend(&one)
	switch {
	case falls:
		one.Severity = Ticket
		one.Do = []string{"wait: it catches up. More workers, up to the number of partitions, if that takes too long"}
	case len(late) == 1 && len(f.Lag.Sources) > 1:
		one.Do = []string{
			"see whether one account is most of the traffic: SELECT account_id, sum(events) FROM usage_minute WHERE window_start > now() - INTERVAL 10 MINUTE GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
		}
	default:
		one.Do = []string{"add workers, up to the number of partitions; docs/scaling.md has events a second for each core"}
	}
	return []Finding{one}
}

func waited(s *lag.Source) float64 {
	if s.LagSeconds == nil {
		return float64(s.LagRecords)
	}
	return *s.LagSeconds
}

// trend adds what the processes tell of their work, and says whether the lag falls.
func (f *Facts) trend(one *Finding) (falls bool) {
	var before, after, seconds float64
	for i := range f.Processes {
		p := &f.Processes[i]
		if len(p.After["tidemark_source_lag_records"].GetMetric()) == 0 || p.Seconds == 0 {
			continue
		}
		before += p.Before.Sum("tidemark_source_lag_records")
		after += p.After.Sum("tidemark_source_lag_records")
		seconds = max(seconds, p.Seconds)
		one.Evidence = append(one.Evidence, fmt.Sprintf("%s: %.0f records a second, with %.0f %% of one core", p.URL,
			p.Grown("tidemark_records_total")/p.Seconds, 100*p.Grown("process_cpu_seconds_total")/p.Seconds))
	}
	if seconds == 0 || after >= before {
		return false
	}
	rate := (before - after) / seconds
	one.Evidence = append(one.Evidence, fmt.Sprintf("the lag falls by %.0f records a second: it is gone in %s", rate, ago(after/rate)))
	return true
}

func evictions(f *Facts) []Finding {
	var found []Finding
	for i := range f.Processes {
		p := &f.Processes[i]
		if p.Seconds == 0 {
			continue
		}
		rate := p.Grown("tidemark_rows_loaded_on_demand_total") / p.Seconds
		if rate <= manyLoads {
			continue
		}
		found = append(found, Finding{
			Cause: ManyEvictions, Severity: Ticket, Title: fmt.Sprintf("%s loads %.0f windows a second again from ClickHouse", p.URL, rate), Runbook: "partition-behind.md",
			Affects:  "the accounts of its partitions: they are late",
			Evidence: []string{fmt.Sprintf("it holds %.0f windows", p.After.Sum("tidemark_source_windows"))},
			Do:       []string{"an import of old events: let it end", "else raise pipeline.max_cells, with the worker's memory"},
		})
	}
	return found
}

func processes(f *Facts) []Finding {
	var found []Finding
	for i := range f.Processes {
		p := &f.Processes[i]
		if p.Error != "" || p.Ready || strings.HasPrefix(p.Said, stopSaid) {
			continue
		}
		found = append(found, Finding{
			Cause: ProcessNotReady, Severity: Ticket, Title: p.URL + " is not ready: " + firstLine(p.Said),
			Affects: "what that process would do", Do: []string{"read its log", "tidemark check"},
		})
	}
	return found
}

func commits(f *Facts) []Finding {
	var failed, ok float64
	for i := range f.Processes {
		failed += f.Processes[i].Grown("tidemark_commits_total", "result", "failed")
		ok += f.Processes[i].Grown("tidemark_commits_total", "result", "ok")
	}
	if failed == 0 || ok > 0 {
		return nil
	}
	return []Finding{{
		Cause: CommitsFail, Severity: Ticket, Title: "Kafka takes no offset commits", Runbook: "commits.md",
		Affects:  "nobody: rows are written and right; a restart would read again from the last commit",
		Evidence: []string{fmt.Sprintf("%.0f failed and none succeeded while we looked", failed)},
		Do:       []string{`read the workers' logs: "commit failed" says why`, "look at the brokers"},
	}}
}

func canaries(f *Facts) []Finding {
	var found []Finding
	for i := range f.Processes {
		p := &f.Processes[i]
		took, lost := p.After.Sum("tidemark_canary_last_freshness_seconds"), p.Grown("tidemark_canaries_lost_total")
		if took <= tolerated && lost == 0 {
			continue
		}
		found = append(found, Finding{
			Cause: CanariesLost, Severity: Page, Title: fmt.Sprintf("events that %s sends to itself cannot be read within a minute", p.URL), Runbook: "canary.md",
			Affects:  "probably everybody, whatever the other figures say",
			Evidence: []string{fmt.Sprintf("the last took %s, or has taken that long so far; %.0f were lost while we looked", ago(took), lost)},
			Do:       []string{"tidemark check", `read its log: "a canary is lost" says why`},
		})
	}
	return found
}
