package worker

import (
	"tidemark/pipeline/decode"
	"tidemark/sinks/clickhouse"
)

// What the log has of accounts and users that were forgotten is counted by its verdict as before, so that checkpoints stay what they are, and
// makes no row of its own. What a forgotten user did counts for the account as done by nobody.

// forgotten takes a forgotten user out of an event, and says whether nothing is left of it: what only its user ties to an account, or says of
// the user's account.
func (c *Core) forgotten(ev *decode.Event) bool {
	if ev.User == 0 || !c.spec.Forgotten.User(ev.User) {
		return false
	}
	ev.User = 0
	return len(ev.Account) == 0 && ev.Type < decode.Identify || ev.Type == decode.Group || ev.Type == decode.Identify && len(ev.Account) > 0
}

// remembered leaves counters of forgotten accounts out, which are about to be deleted: no commit may promise them.
func (c *Core) remembered(rows *clickhouse.Counters) *clickhouse.Counters {
	if c.spec.Forgotten.Len() == 0 {
		return rows
	}
	left := &clickhouse.Counters{}
	for i := range rows.Value {
		if c.spec.Forgotten.Account([]byte(rows.AccountID.At(i))) {
			continue
		}
		left.Tier, left.WindowStart = append(left.Tier, rows.Tier[i]), append(left.WindowStart, rows.WindowStart[i])
		left.AccountID.Append(rows.AccountID.At(i))
		left.Feature.Append(rows.Feature.At(i))
		left.Metric.Append(rows.Metric.At(i))
		left.Source.Append(rows.Source.At(i))
		left.Value, left.AppliedOffset = append(left.Value, rows.Value[i]), append(left.AppliedOffset, rows.AppliedOffset[i])
	}
	return left
}

// unlessForgotten returns a text about a dead letter, empty if that is somebody's who was forgotten.
func (c *Core) unlessForgotten(r *Record, text string) string {
	if c.spec.Forgotten.Key(r.Key) {
		return ""
	}
	return text
}
