// Package doctor tells what is wrong with a running Tidemark. It gathers facts from Kafka, ClickHouse and the processes, finds the
// causes that explain them, and says of each what it affects, since when, and what mends it.
package doctor

import (
	"time"

	"tidemark/internal/preflight"
	"tidemark/pipeline/lag"
)

// Facts are what was seen, and what could not be.
type Facts struct {
	At         time.Time           `json:"at"`
	Group      string              `json:"group"`
	Brokers    []string            `json:"brokers"`
	Lag        *lag.Report         `json:"lag"` // null: Kafka did not answer
	KafkaError string              `json:"kafka_error,omitempty"`
	Raw        *lag.Report         `json:"raw_topics,omitempty"` // the group that reads raw topics; nil: none is declared, or Kafka did not answer
	Kept       map[string]float64  `json:"kept_seconds"`         // how long Kafka keeps a topic's records; not there: for ever, or unknown
	Disorder   map[string]float64  `json:"disorder_seconds"`     // pipeline.disorder of each topic
	Setup      []preflight.Finding `json:"setup"`                // what tidemark check finds of Kafka and ClickHouse, warnings and errors
	Servers    []Server            `json:"clickhouse"`
	Store      *Store              `json:"store"` // null: ClickHouse did not answer
	StoreError string              `json:"store_error,omitempty"`
	Processes  []Process           `json:"processes"`
}

// Server is what one server of ClickHouse says of itself.
type Server struct {
	Addr         string        `json:"addr"`
	Error        string        `json:"error,omitempty"`   // it does not answer: the rest is not known
	Unknown      []string      `json:"unknown,omitempty"` // system tables that the reader may not read
	Parts        []Parts       `json:"parts"`             // the partitions with the most parts, the worst first
	DelayAt      uint64        `json:"parts_delay"`       // parts of a partition at which inserts are delayed
	ThrowAt      uint64        `json:"parts_throw"`       // and at which they are refused
	Merges       uint64        `json:"merges"`
	LongestMerge float64       `json:"longest_merge_seconds"`
	Mutations    []Mutation    `json:"failing_mutations"`
	Disks        []Disk        `json:"disks"`
	ReadOnly     []string      `json:"read_only"` // replicated tables that take no inserts
	Delayed      int64         `json:"delayed_inserts"`
	Errors       []ServerError `json:"errors"` // of the last hour
}

// Parts is a partition of a table.
type Parts struct {
	Table     string `json:"table"`
	Partition string `json:"partition"`
	Count     uint64 `json:"count"`
	Bytes     uint64 `json:"bytes"`
}

// Mutation is a change of a table that ClickHouse tries and fails to make.
type Mutation struct {
	Table  string    `json:"table"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// Disk is where ClickHouse keeps data.
type Disk struct {
	Name  string `json:"name"`
	Free  uint64 `json:"free_bytes"`
	Total uint64 `json:"total_bytes"`
}

// ServerError is an error that ClickHouse has met, of any client.
type ServerError struct {
	Name    string    `json:"name"`
	Count   uint64    `json:"count"` // since the server's start
	LastAt  time.Time `json:"last_at"`
	Message string    `json:"message"`
}

// Store is what the pipeline and the triggers left in ClickHouse about themselves.
type Store struct {
	Sources     []Source      `json:"sources"`
	Complete    []Complete    `json:"completeness"`
	Violations  []Violation   `json:"accounting_violations"`
	DeadLetters []DeadLetters `json:"dead_letters"` // of the last hour, by Kafka's time
	Targets     []Target      `json:"alert_targets"`
	Hot         []HotAccount  `json:"hot_accounts,omitempty"` // where the gatherer was told to look for them
}

// HotAccount is one of those with the most events in the last 10 minutes of event time.
type HotAccount struct {
	Account string `json:"account_id"`
	Events  uint64 `json:"events"`
}

// Source is how far a partition is, as its owner last wrote it.
type Source struct {
	Source     string    `json:"source"` // topic/partition@topic id
	Watermark  time.Time `json:"watermark"`
	LagRecords uint64    `json:"lag_records"`
	ObservedAt time.Time `json:"observed_at"`
	Instance   string    `json:"instance"`
	Accounts   uint64    `json:"accounts"` // with events of the last 7 days
}

// Complete is up to when a topic is complete.
type Complete struct {
	Topic string    `json:"topic"`
	To    time.Time `json:"to"`
}

// Violation is a pair of checkpoints that does not add up.
type Violation struct {
	Source string    `json:"source"`
	From   uint64    `json:"from_offset"`
	To     uint64    `json:"to_offset"`
	What   string    `json:"what"`
	At     time.Time `json:"last_record_at"`
}

// DeadLetters are the records of a topic that could not be counted for one reason.
type DeadLetters struct {
	Topic    string    `json:"topic"`
	Reason   string    `json:"reason"`
	Records  uint64    `json:"records"`
	Received uint64    `json:"topic_records"` // all of the topic, of the same time
	First    time.Time `json:"first_at"`
	Source   string    `json:"last_source"`
	Offset   uint64    `json:"last_offset"`
	Detail   string    `json:"last_detail"`
}

// Target is where alerts are told.
type Target struct {
	Name     string     `json:"name"`
	Waiting  uint64     `json:"waiting"`
	Oldest   *time.Time `json:"oldest_waiting_at"`
	Dead     uint64     `json:"dead"`
	Disabled bool       `json:"disabled"`
	Reason   string     `json:"disabled_reason,omitempty"`
	Detail   string     `json:"last_detail,omitempty"` // what was wrong with what was tried last
}

// Process is what a process of Tidemark says on its admin port.
type Process struct {
	URL     string  `json:"url"`
	Error   string  `json:"error,omitempty"` // it does not answer: the rest is not known
	Ready   bool    `json:"ready"`
	Said    string  `json:"said"`    // by /readyz
	Seconds float64 `json:"seconds"` // between the two readings of its metrics
	Before  Samples `json:"-"`
	After   Samples `json:"-"`
}
