package simulate

import (
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/zap"
)

// Defaults for those who have no wish of their own.
const (
	DefaultAccounts = 50
	DefaultRate     = 200.0
	DefaultHistory  = 14 * 24 * time.Hour
)

// Topics are the names of the topics that are written to directly.
type Topics struct{ Telemetry, Tickets, Accounts, Signals string }

// Options say against what to run, and what to play.
type Options struct {
	CollectorURL string // its root, as http://127.0.0.1:8080
	WriteKey     string
	Brokers      []string
	Topics       Topics
	// Transport carries TLS and SASL to the brokers; nil is a plain connection.
	Transport *kafka.Transport

	Seed     uint64
	Accounts int
	Rate     float64       // live events a second
	History  time.Duration // length of the past that is filled in first; 0 for none
	Duration time.Duration // of live traffic; 0 until the context ends

	// StateDir keeps how far the stream was sent, and the truth. A second run
	// in it continues the first.
	StateDir string

	// OnProgress, if set, is called about once a second.
	OnProgress func(Progress)
	Logger     *zap.Logger // nil for none
}

// Progress is how a run stands.
type Progress struct {
	Sent, Acked uint64  // messages, those of earlier runs included
	Rate        float64 // acknowledged a second, lately
	Backfilling bool    // the past is not yet sent
	Past        float64 // share of the past that is sent, 0 to 1
}

func (o Options) validate() error {
	switch {
	case o.CollectorURL == "":
		return errors.New("the collector's URL is missing")
	case len(o.Brokers) == 0:
		return errors.New("the Kafka brokers are missing")
	case o.Topics.Telemetry == "" || o.Topics.Tickets == "" || o.Topics.Accounts == "" || o.Topics.Signals == "":
		return fmt.Errorf("a topic has no name: %+v", o.Topics)
	case o.StateDir == "":
		return errors.New("the state directory is missing")
	}
	if err := (Stretch{Rate: o.Rate}).validate(); err != nil {
		return err
	}
	return Plan{Accounts: o.Accounts, History: o.History, Start: time.Now()}.validate()
}
