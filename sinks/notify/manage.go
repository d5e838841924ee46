package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	rows "github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/sinks/clickhouse"
)

// Selection says which deliveries a person means.
type Selection struct {
	Target string // empty: every target
	ID     string // of a message, a transition or an alert; empty: all
}

// standing is a transition and a target, and where it stands.
type standing struct {
	target  string
	row     row
	seq     uint64
	waiting bool // nothing was decided, so it has no row
}

// selectStandings are those that are not delivered; a transition of which nothing is decided goes by its own id.
const selectStandings = `SELECT t.target, t.alert_id, t.id, if(d.version > 0, d.message_id, t.id), toString(d.outcome), t.seq, d.version
FROM (SELECT arrayJoin(targets) AS target, alert_id, id, seq FROM alert_transitions FINAL) AS t
LEFT JOIN (SELECT * FROM deliveries FINAL) AS d ON d.target = t.target AND d.alert_id = t.alert_id AND d.id = t.id
WHERE ({target:String} = '' OR t.target = {target:String}) AND (d.version = 0 OR d.outcome NOT IN ('delivered', 'dropped'))
ORDER BY t.target, t.alert_id, t.seq`

// selectArrived are the last transitions of alerts that arrived.
const selectArrived = `SELECT d.target, d.alert_id, max(t.seq) FROM (SELECT target, alert_id, id FROM deliveries FINAL WHERE outcome = 'delivered') AS d
JOIN (SELECT alert_id, id, seq FROM alert_transitions FINAL) AS t ON t.id = d.id AND t.alert_id = d.alert_id
WHERE {target:String} = '' OR d.target = {target:String}
GROUP BY d.target, d.alert_id`

func standings(ctx context.Context, c *clickhouse.Client, target string) (all []standing, err error) {
	err = clickhouse.Each(c.LoadContext(ctx), c.Conn(), selectStandings, func(rows rows.Rows) error {
		var s standing
		var state string
		var seq uint32
		err := rows.Scan(&s.target, &s.row.AlertID, &s.row.ID, &s.row.MessageID, &state, &seq, &s.row.Version)
		s.row.Outcome, s.seq, s.waiting = outcome(state), uint64(seq), s.row.Version == 0
		all = append(all, s)
		return err
	}, driver.Named("target", target))
	if err != nil {
		return nil, fmt.Errorf("read the deliveries: %w", err)
	}
	return all, nil
}

// messageKey is what identifies a message: ids of digests are of a target, those of transitions are not.
type messageKey struct{ target, id string }

func (s *standing) message() messageKey { return messageKey{s.target, s.row.MessageID} }

// chosen are the messages that are meant, whole ones: a message's content never changes.
func (sel Selection) chosen(all []standing, outcomes ...outcome) map[messageKey]bool {
	chosen := map[messageKey]bool{}
	for _, s := range all {
		named := sel.ID == "" || sel.ID == s.row.ID || sel.ID == s.row.MessageID || sel.ID == s.row.AlertID
		if named && (slices.Contains(outcomes, s.row.Outcome) || s.waiting && slices.Contains(outcomes, "")) {
			chosen[s.message()] = true
		}
	}
	return chosen
}

// Redriven is what came of Redrive, in transitions.
type Redriven struct {
	Redriven int
	Outdated int // left alone: a later state of their alerts arrived meanwhile, which they would contradict
}

// Redrive sends what is dead again, from the first attempt on and under the same ids, and with it the ends of alerts that were
// skipped as nothing of them had arrived. A target that said that it is gone is sent to again, if it is selected by its name.
func Redrive(ctx context.Context, c *clickhouse.Client, sel Selection, now time.Time) (Redriven, error) {
	var done Redriven
	if sel.Target != "" { // before anything is pending: whoever sees that must not think that the target is gone
		if err := (&store{c, sel.Target}).enable(ctx, now); err != nil {
			return done, err
		}
	}
	all, err := standings(ctx, c, sel.Target)
	if err != nil {
		return done, err
	}
	arrived := map[messageKey]uint64{}
	err = clickhouse.Each(c.LoadContext(ctx), c.Conn(), selectArrived, func(rows rows.Rows) error {
		var k messageKey
		var seq uint32
		err := rows.Scan(&k.target, &k.id, &seq)
		arrived[k] = uint64(seq)
		return err
	}, driver.Named("target", sel.Target))
	if err != nil {
		return done, fmt.Errorf("read what was delivered: %w", err)
	}
	again, outdated := redrive(all, arrived, sel)
	done.Redriven, done.Outdated = len(again), outdated
	return done, rewrite(ctx, c, again, func(r *row) {
		r.Outcome, r.Attempt, r.FirstAt, r.At, r.NextAt, r.Detail = pending, 0, now, now, now, "redriven"
	})
}

// redrive picks what is sent again, and counts what is not though it is dead.
func redrive(all []standing, arrived map[messageKey]uint64, sel Selection) (again []standing, outdated int) {
	chosen := sel.chosen(all, dead)
	for _, s := range all { // a message with one transition that is outdated is left alone as a whole
		if chosen[s.message()] && arrived[messageKey{s.target, s.row.AlertID}] > s.seq {
			chosen[s.message()] = false
		}
	}
	revived := map[messageKey]bool{} // alerts
	for _, s := range all {
		use, ok := chosen[s.message()]
		switch {
		case use:
			revived[messageKey{s.target, s.row.AlertID}] = true
			again = append(again, s)
		case ok:
			outdated++
		}
	}
	for _, s := range all {
		if s.row.Outcome == skipped && revived[messageKey{s.target, s.row.AlertID}] {
			again = append(again, s)
		}
	}
	return again, outdated
}

// Drop settles what is not delivered so that it is not sent any more, and returns how many transitions that were. by is who
// wants it.
func Drop(ctx context.Context, c *clickhouse.Client, sel Selection, by string, now time.Time) (int, error) {
	all, err := standings(ctx, c, sel.Target)
	if err != nil {
		return 0, err
	}
	chosen := sel.chosen(all, pending, dead, skipped, "")
	all = slices.DeleteFunc(all, func(s standing) bool { return !chosen[s.message()] })
	return len(all), rewrite(ctx, c, all, func(r *row) {
		r.Outcome, r.FirstAt, r.At, r.Detail = dropped, now, now, "dropped by "+by
	})
}

// byHand is by how many versions a person's change is ahead, so that it holds over those that a process may write at the same moment:
// it looks at the table before each message, and writes two at most until the next.
const byHand = 1000

// rewrite writes the rows anew, target by target.
func rewrite(ctx context.Context, c *clickhouse.Client, all []standing, change func(*row)) error {
	byTarget := map[string][]row{}
	for _, s := range all {
		r := s.row
		r.Version += byHand
		change(&r)
		byTarget[s.target] = append(byTarget[s.target], r)
	}
	var errs []error
	for target, rows := range byTarget {
		errs = append(errs, (&store{c, target}).write(ctx, rows))
	}
	return errors.Join(errs...)
}
