package doctor

import (
	"fmt"
	"strings"

	"tidemark/pipeline/lag"
)

// stopSaid is how /readyz begins when a source needs a person.
const stopSaid = "stopped: "

// stopped finds the sources that wait for a person: those whose commits say so, and those whose owners do.
func stopped(f *Facts) []Finding {
	says := map[string]string{} // by source, where its owner told
	for i := range f.Processes {
		p := &f.Processes[i]
		p.After.Each("tidemark_source_stopped", func(labels map[string]string, value float64) {
			source := labels["topic"] + "/" + labels["partition"]
			if value == 1 && says[source] == "" {
				says[source] = p.URL + " says that it has stopped"
			}
		})
		if why, ok := strings.CutPrefix(p.Said, stopSaid); ok && !p.Ready {
			source, _, _ := strings.Cut(why, "@") // topic/partition@topic id: reason
			says[source] = why
		}
	}
	var found []Finding
	for _, s := range f.sources(func(s *lag.Source) bool {
		return s.State == lag.OutOfRange || s.State == lag.Foreign || says[name(s)] != ""
	}) {
		one := Finding{
			Cause: PartitionStopped, Severity: Page, Title: name(s) + " needs a person: going on could count records twice, or not at all",
			Affects: f.accounts(s) + "; the others go on", Runbook: "partition-stopped.md", Do: f.restart(s),
		}
		if s.LagSeconds != nil && s.LagRecords > 0 {
			one.Since = f.before(*s.LagSeconds)
		}
		if s.Committed != nil && s.Problem != "" {
			one.Evidence = append(one.Evidence, fmt.Sprintf("the committed offset is %d: %s", *s.Committed, s.Problem))
		}
		if says[name(s)] != "" {
			one.Evidence = append(one.Evidence, says[name(s)])
		}
		found = append(found, one)
	}
	return found
}

// restart is what a person does about a source.
func (f *Facts) restart(s *lag.Source) []string {
	verify := fmt.Sprintf("tidemark verify --topic %s --partition %d", s.Topic, s.Partition)
	switch s.State {
	case lag.OutOfRange:
		return []string{
			f.keepLonger(s.Topic) + " (while you decide)",
			"restore the log; or accept the loss, and go on from what is left: end all workers, wait for kafka.session_timeout,",
			fmt.Sprintf("kafka-consumer-groups.sh --bootstrap-server %s --group %s --topic %s:%d --reset-offsets --to-earliest --execute",
				strings.Join(f.Brokers, ","), f.Group, s.Topic, s.Partition),
			"start the workers, and " + verify,
		}
	case lag.Foreign:
		return []string{"give Tidemark a kafka.group of its own: another consumer commits to " + f.Group, verify}
	case lag.OK, lag.Uncommitted, lag.Unassigned, lag.NewLog:
	}
	return []string{
		`do what "When a source stops" in docs/operations.md says of this reason`, "restart the worker " + s.Owner, verify,
	}
}
