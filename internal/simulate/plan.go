// Package simulate plays a customer base against Tidemark and knows the truth
// about it: which events it sent, what they meant, and what every rollup must
// therefore say.
//
// The stream is a function of its plan alone. Replaying a prefix of it gives
// the truth after that prefix, so a simulator that was killed continues with
// the very message at which it stopped.
package simulate

import (
	"errors"
	"fmt"
	"time"
)

// Plan is all that the stream depends on.
type Plan struct {
	Seed     uint64
	Accounts int
	// Start is the end of the past that is filled in, and History its length.
	Start   time.Time
	History time.Duration
	// Live are the stretches of traffic that follow the past.
	Live []Stretch
}

// Stretch is live traffic from the message Seq on: the first is due at At, and
// Rate are due a second.
type Stretch struct {
	Seq  uint64    `json:"seq"`
	At   time.Time `json:"at"`
	Rate float64   `json:"rate"`
}

const (
	maxAccounts = 10_000
	// maxHistory keeps the past well inside what the hour tier keeps.
	maxHistory = 180 * 24 * time.Hour
)

func (p Plan) validate() error {
	switch {
	case p.Accounts < 1 || p.Accounts > maxAccounts:
		return fmt.Errorf("accounts is %d: it must be between 1 and %d", p.Accounts, maxAccounts)
	case p.History < 0 || p.History > maxHistory:
		return fmt.Errorf("history is %s: it must be between 0 and %s", p.History, maxHistory)
	case p.Start.IsZero():
		return errors.New("the plan has no start")
	}
	return nil
}

func (s Stretch) validate() error {
	if !(s.Rate > 0) {
		return fmt.Errorf("rate is %g: it must be a positive number of events a second", s.Rate)
	}
	return nil
}

// Message is one message of the stream.
type Message struct {
	Seq  uint64
	At   time.Time // when it is due
	Via  Via
	Key  string // of the Kafka record; empty over HTTP
	Body []byte // the JSON, or what is meant to be one

	intent intent
}

// Via is the way a message takes.
type Via uint8

const (
	// HTTP is the collector; the body is one Segment message.
	HTTP Via = iota
	// Telemetry is a record of that topic, from a producer other than the collector.
	Telemetry
	// Tickets is a record of that topic.
	Tickets
	// Accounts is a record of that topic.
	Accounts
	// Signals is a record of that topic.
	Signals
)

// intent is what the simulator means by a message, from which it folds the
// truth. It is not read back from the body.
type intent struct {
	verdict verdict
	reason  reason // of a dead letter

	account string
	user    string // identity, "" for none
	at      int64  // event time, Unix ms
	action  action

	waits  bool // parked until the user's account is known
	knows  bool // makes the user's account known
	ticket *ticketEvent
	signal *signalOf
	record map[string]string // account attributes from at on
}

type verdict uint8

const (
	applied verdict = iota
	duplicate
	filtered
	deadLettered
)

type reason string

func day(n float64) time.Duration { return time.Duration(n * 24 * float64(time.Hour)) }
