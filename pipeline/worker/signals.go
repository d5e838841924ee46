package worker

import "tidemark/pipeline/decode"

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
	id := s.ID
	if id == 0 {
		id = r.Offset + 1
	}
	f := &c.state.Batch().Facts
	f.Kind = append(f.Kind, s.Kind)
	f.AccountID = append(f.AccountID, s.AccountID)
	f.Entity = append(f.Entity, s.Entity)
	f.At = append(f.At, s.Time)
	f.Name = append(f.Name, s.Name)
	f.User = append(f.User, s.User)
	f.ID = append(f.ID, id)
	f.Source = append(f.Source, c.spec.Source)
	f.Offset = append(f.Offset, r.Offset)
	f.Value = append(f.Value, s.Value)
	f.Attributes = append(f.Attributes, s.Attributes)
	c.seen(s.Time)
	return Applied, nil
}
