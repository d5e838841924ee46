package worker

import (
	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

func (c *Core) stepTelemetry(r *Record) (Verdict, *decode.Rejection) {
	ev := &c.ev
	if rej := c.decoder.Decode(r.Value, r.Time, ev); rej != nil {
		return DeadLettered, rej
	}
	if c.duplicate(r, ev.ID) {
		return Duplicate, nil
	}
	if c.forgotten(ev) {
		c.seen(ev.Time)
		return Applied, nil
	}
	account, ok := c.account(ev)
	if !ok {
		return Blocked, nil
	}
	switch ev.Type {
	case decode.Alias:
		return Filtered, nil
	case decode.Identify:
		if len(account) == 0 {
			return Filtered, nil
		}
	}
	if len(account) == 0 {
		return DeadLettered, noAccount
	}
	if c.spec.Forgotten.Account(account) {
		c.seen(ev.Time)
		return Applied, nil
	}
	if ev.Type == decode.Identify || ev.Type == decode.Group {
		ok = c.users.Learn(ev.User, account, r.Offset, c.state.Batch())
	} else {
		ok = c.state.Fold(ev, account, r.Offset)
	}
	if !ok {
		return Blocked, nil
	}
	c.seen(ev.Time)
	return Applied, nil
}

var noAccount = &decode.Rejection{
	Reason: schemas.NoAccount,
	Detail: "neither the event (context.groupId) nor an earlier group call of its user in this partition names an account",
	Field:  "context.groupId",
}

// account returns the event's account: its own, or that of its user. ok is false when the user has to be loaded first.
func (c *Core) account(ev *decode.Event) (account []byte, ok bool) {
	if len(ev.Account) > 0 || ev.User == 0 || ev.Type >= decode.Identify {
		return ev.Account, true
	}
	name, ok := c.users.Account(ev.User)
	return []byte(name), ok
}

func (c *Core) lookTelemetry(r *Record, needs *Needs) {
	ev := &c.ev
	if c.decoder.Decode(r.Value, r.Time, ev) != nil {
		return
	}
	if c.forgotten(ev) {
		return
	}
	switch ev.Type {
	case decode.Track, decode.Page, decode.Screen:
		account, ok := c.account(ev)
		if !ok {
			needs.Users = append(needs.Users, ev.User)
		} else if len(account) > 0 && !c.spec.Forgotten.Account(account) {
			needs.Windows = c.state.Missing(ev, account, needs.Windows)
		}
	default:
		if _, ok := c.users.Account(ev.User); !ok && len(ev.Account) > 0 {
			needs.Users = append(needs.Users, ev.User)
		}
	}
}

// messageID returns the id that the duplicate filter remembers of a record; ok is false for a dead letter.
func (c *Core) messageID(r *Record) (id uint64, ok bool) {
	switch c.spec.Content {
	case Telemetry:
		rej := c.decoder.Decode(r.Value, r.Time, &c.ev)
		return c.ev.ID, rej == nil
	case Tickets:
		if t, rej := decode.DecodeTicket(r.Value, r.Time, c.spec.Limits); rej == nil {
			return t.ID, true
		}
	case Signals:
		if s, rej := decode.DecodeSignal(r.Value, r.Time, c.spec.Limits); rej == nil {
			return s.ID, true
		}
	}
	return 0, false
}
