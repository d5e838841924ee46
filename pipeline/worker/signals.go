package worker

import (
	"tidemark/pipeline/decode"
	"tidemark/sinks/clickhouse"
)

// stepSignal keeps a signal as a fact. The latest one counts, or all of them together, so that they may come in any order
// and any number of times.
func (c *Core) stepSignal(r *Record) (Verdict, *decode.Rejection) {
	s, rej := decode.DecodeSignal(r.Value, r.Time, c.spec.Limits)
	if rej != nil {
		return DeadLettered, rej
	}
	if c.duplicate(r, s.ID) {
		return Duplicate, nil
	}
	if c.spec.Forgotten.Account([]byte(s.AccountID)) || s.User != 0 && c.spec.Forgotten.User(s.User) {
		c.seen(s.Time)
		return Applied, nil
	}
	c.state.Batch().Facts.Add(clickhouse.Fact{
		Kind: s.Kind, AccountID: s.AccountID, Entity: s.Entity, At: s.Time, Name: s.Name, User: s.User,
		ID: s.ID, Source: c.spec.Source, Offset: r.Offset, Value: s.Value, Attributes: s.Attributes,
	})
	c.seen(s.Time)
	return Applied, nil
}
