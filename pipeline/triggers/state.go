package triggers

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"tidemark/schemas/rules"
)

// Truth is what is known of a condition. The zero Truth is Unknown, which is neither true nor false.
type Truth uint8

// The truths.
const (
	Unknown Truth = iota
	False
	True
)

// TruthOf is the truth of a condition's value.
func TruthOf(v rules.Value) Truth {
	switch {
	case v.True():
		return True
	case v.False():
		return False
	default:
		return Unknown
	}
}

func (t Truth) not() Truth {
	switch t {
	case True:
		return False
	case False:
		return True
	default:
		return Unknown
	}
}

// Phase is where an alert stands.
type Phase string

// The phases. The zero Phase is that of a rule that has never held for the account.
const (
	Inactive   Phase = ""            // the condition does not hold
	Pending    Phase = "pending"     // it holds, but not for long enough, or something keeps it from firing
	Firing     Phase = "firing"      // it has fired and has not ended
	KeepFiring Phase = "keep firing" // it has ended, but keep_firing_for is not over
	Resolved   Phase = "resolved"    // inactive, after an episode
)

// State is what is known of one rule for one account. The zero State is the first one.
type State struct {
	Phase   Phase     `json:"phase,omitempty"`
	Episode uint64    `json:"episode,omitempty"` // of the present alert, or of the last one; 0: none yet
	Seq     uint32    `json:"seq,omitempty"`     // of its last transition
	Since   time.Time `json:"since,omitzero"`    // when the phase began, in event time
	Judged  time.Time `json:"judged,omitzero"`   // latest instant of which something was known
	FiredAt time.Time `json:"fired_at,omitzero"` // when the episode began; zero as well after a retraction, which lifts the cool-down
	Level   int       `json:"level,omitempty"`   // highest level told in the episode

	// The window on which the alert stands, which late events may change, and what was told of it.
	Window time.Time `json:"window,omitzero"`
	Value  *float64  `json:"value,omitempty"`
	Final  bool      `json:"final,omitempty"`

	Version uint64 `json:"version,omitempty"` // counted by whoever stores it
}

// Active reports whether the alert is firing.
func (s State) Active() bool { return s.Phase == Firing || s.Phase == KeepFiring }

// Wake is when, in event time, the state may change without a change of its inputs; zero: never.
func (s State) Wake(r *rules.Rule) time.Time {
	switch s.Phase {
	case Pending:
		wake := s.Since.Add(r.For)
		if again := s.FiredAt.Add(r.Cooldown); !s.FiredAt.IsZero() && again.After(wake) {
			wake = again
		}
		return wake
	case KeepFiring:
		return s.Since.Add(r.KeepFiringFor)
	default:
		return time.Time{}
	}
}

// Observation is what was read of one account for one rule.
type Observation struct {
	Account string
	At      time.Time // instant that is judged, in event time
	Window  time.Time // end of the window that the condition reads
	Final   bool      // the watermark has passed it; otherwise the window is not over

	Holds, Clears Truth    // the conditions when and clear_when; the latter is not looked at if the rule has none
	Enough        Truth    // the condition minimum; not looked at if the rule has none
	Level         int      // how many of the rule's levels the value has reached
	Value         *float64 // nil: unknown, or the rule shows none
	Muted         bool     // silenced, or inhibited by another rule: nothing new is told

	Fired *Reading // the window on which the alert stands, read again; nil if it was not
}

// Reading is a past window, as it reads now.
type Reading struct {
	Final bool
	Holds Truth
	Value *float64
}

// Kind is what a transition tells.
type Kind string

// The kinds.
const (
	Fired     Kind = "fired"
	LevelUp   Kind = "level"     // the value has reached a higher level
	Amended   Kind = "amended"   // late events changed the value that was told
	Retracted Kind = "retracted" // late events showed that the condition did not hold
	Ended     Kind = "resolved"
)

// Transition is something that happened to an alert and has to be told.
type Transition struct {
	ID, AlertID string
	Kind        Kind
	Episode     uint64
	Seq         uint32
	At, Window  time.Time
	Final       bool
	Level       int
	Value       *float64
}

// AlertID is the id of an alert: a function of rule, account and episode.
func AlertID(rule, account string, episode uint64) string {
	return hash("al_", rule, account, strconv.FormatUint(episode, 10))
}

// TransitionID is the id of a transition: a function of its alert and number. Deliveries carry it, so repeats are harmless.
func TransitionID(alert string, seq uint32) string {
	return hash("tr_", alert, strconv.FormatUint(uint64(seq), 10))
}

func hash(prefix string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return prefix + hex.EncodeToString(sum[:16])
}
