package worker

import (
	"tidemark/pipeline/decode"
	"tidemark/sinks/clickhouse"
)

// What the log has of accounts and users that were forgotten is counted by its verdict as before, so that checkpoints stay what they are, and
// makes no row of its own. What a forgotten user did counts for the account as done by nobody; whether an event that named no account had one
// by its user cannot be known any more: it is applied.

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
		if account := rows.AccountID.At(i); !c.spec.Forgotten.Account([]byte(account)) {
			left.Append(clickhouse.Tier(rows.Tier[i]), account, rows.WindowStart[i], rows.Feature.At(i), rows.Metric.At(i), rows.Source.At(i), rows.Value[i], rows.AppliedOffset[i])
		}
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
