package worker

import "tidemark/pipeline/decode"

// stepAccount keeps a change of an account's attributes with the time from which it holds.
func (c *Core) stepAccount(r *Record) (Verdict, *decode.Rejection) {
	a, rej := decode.DecodeAccount(r.Key, r.Value, r.Time)
	if rej != nil {
		return DeadLettered, rej
	}
	if c.spec.Forgotten.Account([]byte(a.ID)) || len(r.Value) == 0 && c.spec.Forgotten.Key(r.Key) { // also a tombstone of one of its attributes
		c.seen(a.ValidFrom)
		return Applied, nil
	}
	deleted := uint8(0)
	if a.Deleted {
		deleted = 1
	}
	ch := &c.state.Batch().AccountChanges
	ch.AccountID = append(ch.AccountID, a.ID)
	ch.ValidFrom = append(ch.ValidFrom, a.ValidFrom)
	ch.Source = append(ch.Source, c.spec.Source)
	ch.Offset = append(ch.Offset, r.Offset)
	ch.Deleted = append(ch.Deleted, deleted)
	ch.Attributes = append(ch.Attributes, a.Attributes)
	c.seen(a.ValidFrom)
	return Applied, nil
}
