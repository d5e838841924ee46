package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tidemark/internal/preflight"
)

const (
	clickhouseRunbook = "clickhouse.md"
	// fullAt and tightAt are the shares of a disk that are left when somebody is told.
	fullAt, tightAt = 0.03, 0.1
	// slowFlush is what a flush takes at most when all is well, by the objective for freshness.
	slowFlush = 2.0
	// insertsWait is whom it concerns when ClickHouse takes no rows.
	insertsWait = "every account: flushes are repeated until they succeed; nothing is lost, everything is late"
)

// refusedLogin is how the driver shows the error AUTHENTICATION_FAILED.
const refusedLogin = "code: 516,"

func clickhouseSilent(f *Facts) []Finding {
	var found []Finding
	for _, s := range f.Servers {
		switch {
		case strings.Contains(s.Error, refusedLogin):
			found = append(found, Finding{
				Cause: LoginRefused, Severity: Ticket, Title: "ClickHouse at " + s.Addr + " refuses the login clickhouse.reader", Runbook: "canary.md",
				Affects:  "this look at it, and whoever else reads with the same password: dashboards, canaries; rows are written by another login",
				Evidence: []string{s.Error}, Do: []string{"set clickhouse.reader.user and its password, or password_file, as ClickHouse has them", "tidemark check"},
			})
		case s.Error != "":
			found = append(found, Finding{
				Cause: ClickHouseSilent, Severity: Page, Title: "ClickHouse does not answer at " + s.Addr, Runbook: clickhouseRunbook,
				Affects:  "every account: nothing can be read, and what is folded waits in memory, then in Kafka; nothing is lost",
				Since:    f.waitsSince(),
				Evidence: []string{s.Error}, Do: []string{"is the server up, and does it listen there?", "tidemark check"},
			})
		}
	}
	return found
}

// setUp passes on what tidemark check finds. What other rules know better is left to them.
func setUp(f *Facts) []Finding {
	grave := Ticket
	if f.Lag != nil && f.Lag.Group.Members == 0 {
		grave = Page // it may be why nobody is there
	}
	silent := slices.ContainsFunc(f.Servers, func(s Server) bool { return s.Error != "" })
	var found []Finding
	for _, s := range f.Setup {
		if strings.HasPrefix(s.Subject, "group ") || s.Level == preflight.OK ||
			s.Level == preflight.Error && (s.Subject == "kafka" || silent && strings.HasPrefix(s.Subject, "clickhouse")) {
			continue
		}
		one := Finding{Cause: SetUp, Severity: Note, Title: s.Subject + ": " + s.Text}
		if s.Level == preflight.Error {
			one.Severity = grave
		}
		if s.Fix != "" {
			one.Do = []string{s.Fix}
		}
		found = append(found, one)
	}
	return found
}

func disks(f *Facts) []Finding {
	var found []Finding
	for _, s := range f.Servers {
		for _, d := range s.Disks {
			left := float64(d.Free) / float64(d.Total)
			if left >= tightAt {
				continue
			}
			one := Finding{
				Cause: DiskFull, Severity: Ticket, Runbook: clickhouseRunbook,
				Title:   fmt.Sprintf("the disk %s of ClickHouse at %s has %.1f %% left: %s of %s", d.Name, s.Addr, left*100, size(d.Free), size(d.Total)),
				Affects: "nobody yet; when it is full, no row is taken",
				Do:      []string{"tidemark rebuild list, and drop what is retired", "shorten pipeline.retention and run tidemark migrate, or add disk"},
			}
			if left < fullAt {
				one.Severity, one.Affects = Page, insertsWait
			}
			for _, p := range s.Parts {
				one.Evidence = append(one.Evidence, fmt.Sprintf("%s, partition %s: %s in %s", p.Table, p.Partition, size(p.Bytes), preflight.Count(int(p.Count), "part"))) //nolint:gosec // small
			}
			found = append(found, one)
		}
	}
	return found
}

func readOnly(f *Facts) []Finding {
	var found []Finding
	for _, s := range f.Servers {
		if len(s.ReadOnly) > 0 {
			found = append(found, Finding{
				Cause: ReadOnly, Severity: Page, Title: "ClickHouse at " + s.Addr + " is read-only: its Keeper or its disk failed",
				Affects: insertsWait, Evidence: []string{"tables: " + some(s.ReadOnly, 10)}, Runbook: clickhouseRunbook,
				Do: []string{"mend Keeper, or the disk: ClickHouse's log says which", "SYSTEM RESTART REPLICA table, if it stays so"},
			})
		}
	}
	return found
}

func parts(f *Facts) []Finding {
	var found []Finding
	for _, s := range f.Servers {
		if len(s.Parts) == 0 || s.DelayAt == 0 || s.Parts[0].Count < s.DelayAt/2 {
			continue
		}
		worst := s.Parts[0]
		one := Finding{
			Cause: TooManyParts, Severity: Note, Affects: "nobody yet; inserts are slowed down at " + fmt.Sprint(s.DelayAt), Runbook: clickhouseRunbook,
			Title: fmt.Sprintf("partition %s of %s at %s has %d parts: merges do not keep up", worst.Partition, worst.Table, s.Addr, worst.Count),
			Evidence: []string{
				fmt.Sprintf("%s run, the longest for %s; %s wait", preflight.Count(int(s.Merges), "merge"), ago(s.LongestMerge), preflight.Count(int(s.Delayed), "insert")), //nolint:gosec // small
				fmt.Sprintf("inserts are delayed from %d parts on, and refused from %d", s.DelayAt, s.ThrowAt),
			},
			Do: []string{"look for something else that writes, for long queries and for a slow disk", "SELECT table, elapsed, progress FROM system.merges ORDER BY elapsed DESC"},
		}
		switch {
		case worst.Count >= s.ThrowAt:
			one.Severity, one.Affects = Page, insertsWait
		case worst.Count >= s.DelayAt:
			one.Severity, one.Affects = Ticket, "every account: ClickHouse delays inserts"
		}
		found = append(found, one)
	}
	return found
}

// refusals finds that flushes are refused and none succeeds. Between two readings there may be no attempt: then how long nothing
// was written tells.
func refusals(f *Facts) []Finding {
	var refused, taken float64
	for i := range f.Processes {
		refused += f.Processes[i].Grown("tidemark_inserts_total", "result", "retried")
		taken += f.Processes[i].Grown("tidemark_inserts_total", "result", "ok")
	}
	if refused == 0 || taken > 0 {
		return nil
	}
	one := Finding{
		Cause: ClickHouseRefuses, Severity: Page, Title: "ClickHouse takes no rows", Affects: insertsWait, Runbook: clickhouseRunbook,
		Evidence: []string{fmt.Sprintf("%.0f refused and none taken while we looked", refused)},
		Do:       []string{`read the workers' logs: "flush failed" says why`, "tidemark check"},
	}
	if f.Store != nil {
		var last time.Time
		for _, s := range f.Store.Sources {
			if s.ObservedAt.After(last) {
				last = s.ObservedAt
			}
		}
		one.Since = at(last)
	}
	return []Finding{one}
}

func slowFlushes(f *Facts) []Finding {
	var found []Finding
	for i := range f.Processes {
		p := &f.Processes[i]
		mean, any := p.Mean("tidemark_flush_duration_seconds")
		if !any || mean <= slowFlush {
			continue
		}
		one := Finding{
			Cause: FlushesSlow, Severity: Ticket, Title: fmt.Sprintf("flushes of %s take %s", p.URL, ago(mean)), Runbook: "freshness.md",
			Affects: "every account: rows are so much later", Do: []string{"look for long queries, merges and a slow disk on ClickHouse", "SELECT elapsed, query FROM system.processes ORDER BY elapsed DESC"},
		}
		for _, s := range f.Servers {
			one.Evidence = append(one.Evidence, fmt.Sprintf("%s: %s, the longest for %s; %s delayed", s.Addr,
				preflight.Count(int(s.Merges), "merge"), ago(s.LongestMerge), preflight.Count(int(s.Delayed), "insert"))) //nolint:gosec // small
		}
		found = append(found, one)
	}
	return found
}

func mutations(f *Facts) []Finding {
	var found []Finding
	for _, s := range f.Servers {
		for _, m := range s.Mutations {
			found = append(found, Finding{
				Cause: MutationFails, Severity: Ticket, Title: "a change of " + m.Table + " at " + s.Addr + " fails again and again",
				Affects: "the table only; it may block later migrations", Since: at(m.Since), Evidence: []string{m.Reason},
				Do: []string{fmt.Sprintf("mend the cause, or give it up: KILL MUTATION WHERE table = '%s' AND NOT is_done", m.Table)},
			})
		}
	}
	return found
}

func isLogin(e ServerError) bool {
	return slices.Contains([]string{authenticationFailed, wrongPassword, unknownUser}, e.Name)
}

func logins(f *Facts) []Finding {
	var found []Finding
	for _, s := range f.Servers {
		one := Finding{
			Cause: FailedLogins, Severity: Note, Title: "somebody could not log in to ClickHouse at " + s.Addr + " within the last hour",
			Affects: "whoever it was; a process of ours says so in its own log",
			Do:      []string{"tidemark check, if a password was changed", "SELECT event_time, user, client_address FROM system.session_log WHERE type = 'LoginFailure', where that is kept"},
		}
		for _, e := range s.Errors {
			if isLogin(e) {
				one.Evidence = append(one.Evidence, e.tell())
			}
		}
		if one.Evidence != nil {
			found = append(found, one)
		}
	}
	return found
}

func (e ServerError) tell() string {
	return fmt.Sprintf("%s, %s since its start, last at %s: %s", e.Name, preflight.Count(int(e.Count), "time"), e.LastAt.Format(time.TimeOnly), firstLine(e.Message)) //nolint:gosec // small
}

func serverErrors(f *Facts) []Finding {
	var found []Finding
	for _, s := range f.Servers {
		one := Finding{
			Cause: ServerErrors, Severity: Note, Title: "ClickHouse at " + s.Addr + " met errors within the last hour", Runbook: clickhouseRunbook,
			Affects: "whoever asked: a person's query, or a flush, which is then repeated",
		}
		for _, e := range s.Errors {
			if !isLogin(e) {
				one.Evidence = append(one.Evidence, e.tell())
			}
		}
		if one.Evidence != nil {
			found = append(found, one)
		}
	}
	return found
}

// firstLine is the beginning of a message, which may be long.
func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if len(text) > 300 {
		return strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}
