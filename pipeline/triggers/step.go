package triggers

import (
	"time"

	"tidemark/schemas/rules"
)

// Step judges one rule for one account. It is pure: the same state and observation give the same outcome, whoever judges.
//
// Time is event time. An observation of an instant before the latest one of which something was known tells nothing of the
// present, but late events may still show in it (Observation.Fired).
func Step(r *rules.Rule, s State, o Observation) (State, []Transition) {
	m := machine{rule: r, State: s, o: o}
	m.holds, m.clears = known(r, s, o)
	if m.Active() && o.Fired != nil && o.Fired.Final && m.correct(o.Fired) {
		return m.State, m.told
	}
	if m.holds != Unknown || m.clears != Unknown {
		m.Judged = o.At
	}
	switch m.Phase {
	case Firing:
		m.firing()
	case KeepFiring:
		m.keepFiring()
	default:
		m.quiet()
	}
	return m.State, m.told
}

// known is what an observation says. A window that is not over tells that a condition holds which more events can only make
// truer, and nothing else.
func known(r *rules.Rule, s State, o Observation) (holds, clears Truth) {
	if o.At.Before(s.Judged) || r.Minimum != nil && o.Enough != True {
		return Unknown, Unknown
	}
	if !o.Final && (r.Fires != rules.Monotone || o.Holds != True) {
		return Unknown, Unknown
	}
	switch {
	case o.Holds == True:
		return True, False
	case r.ClearWhen == nil:
		return o.Holds, o.Holds.not()
	default:
		return o.Holds, o.Clears
	}
}

// machine is one step.
type machine struct {
	State
	rule          *rules.Rule
	o             Observation
	holds, clears Truth
	told          []Transition
}

// quiet is the step of an alert that is not firing.
func (m *machine) quiet() {
	switch m.holds {
	case True:
		if m.Phase != Pending {
			m.Phase, m.Since = Pending, m.o.At
		}
		cooling := !m.FiredAt.IsZero() && m.o.At.Before(m.FiredAt.Add(m.rule.Cooldown))
		if m.o.At.Sub(m.Since) >= m.rule.For && !cooling && !m.o.Muted {
			m.fire()
		}
	case False:
		if m.Phase == Pending {
			m.end()
		}
	case Unknown:
	}
}

func (m *machine) fire() {
	m.Episode++
	m.Seq = 0
	m.Phase, m.Since, m.FiredAt, m.Level = Firing, m.o.At, m.o.At, m.o.Level
	m.stand()
	m.tell(Fired)
}

// stand notes the window on which the alert stands now.
func (m *machine) stand() { m.Window, m.Value, m.Final = m.o.Window, m.o.Value, m.o.Final }

func (m *machine) firing() {
	switch {
	case m.clears == True && m.rule.KeepFiringFor == 0:
		m.resolve(Ended)
	case m.clears == True:
		m.Phase, m.Since = KeepFiring, m.o.At
	default:
		m.climb()
	}
}

func (m *machine) keepFiring() {
	switch {
	case m.clears == True && m.o.At.Sub(m.Since) >= m.rule.KeepFiringFor:
		m.resolve(Ended)
	case m.clears == False:
		m.Phase, m.Since = Firing, m.o.At
		m.climb()
	}
}

// climb tells of a level that was not reached before in the episode.
func (m *machine) climb() {
	if m.holds == True && m.o.Level > m.Level && !m.o.Muted {
		m.Level = m.o.Level
		m.stand()
		m.tell(LevelUp)
	}
}

// correct compares the window on which the alert stands with what was told of it, and reports whether the alert is withdrawn.
func (m *machine) correct(f *Reading) bool {
	switch {
	case f.Holds == False && m.holds != True:
		m.Window, m.Value, m.Final = m.o.Window, f.Value, true
		m.FiredAt = time.Time{}
		m.resolve(Retracted)
		return true
	case f.Holds == False: // it began at another time than was told, and holds now
		m.stand()
		m.amend()
	case f.Holds == True && !same(f.Value, m.Value):
		late := m.Final
		m.Value, m.Final = f.Value, true
		if late { // otherwise the window has merely gone on
			m.amend()
		}
	case f.Holds == True:
		m.Final = true
	}
	return false
}

func (m *machine) amend() {
	if !m.o.Muted {
		m.tell(Amended)
	}
}

func (m *machine) resolve(k Kind) {
	if k == Ended {
		m.stand()
	}
	m.tell(k)
	m.end()
}

func (m *machine) end() {
	m.Phase, m.Since, m.Level = Inactive, m.o.At, 0
	if m.Episode > 0 {
		m.Phase = Resolved
	}
	m.Window, m.Value, m.Final = time.Time{}, nil, false
}

func (m *machine) tell(k Kind) {
	m.Seq++
	alert := AlertID(m.rule.Name, m.o.Account, m.Episode)
	m.told = append(m.told, Transition{
		ID: TransitionID(alert, m.Seq), AlertID: alert, Kind: k, Episode: m.Episode, Seq: m.Seq,
		At: m.o.At, Window: m.Window, Final: m.Final, Level: m.Level, Value: m.Value,
	})
}

func same(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
