package collect

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"tidemark/pipeline/decode"
	"tidemark/schemas/access"
	"tidemark/schemas/mapping"
	"tidemark/schemas/secret"
	"tidemark/sinks/kafka/login"
)

// Config says where the collector listens, which Kafka it writes to and what it
// accepts. Zero values mean the defaults named at each field.
type Config struct {
	Listen string // host:port; port 0 lets the kernel choose; default ":8080"

	Brokers  []string           // at least one host:port
	TLS      func() *tls.Config // for each connection; nil for plain text
	SASL     *login.SASL
	ClientID string // default "tidemark-collector"
	// Group is the consumer group in which collectors share the partitions of
	// the parked topic; it also prefixes their transactional ids. Default
	// "tidemark-collector".
	Group string
	// Instance makes the membership in Group static, so that a restart keeps
	// its partitions. It must differ between running collectors. Optional.
	Instance string
	// SessionTimeout is after how long without a heartbeat the others take over
	// a collector's parked partitions. Default 10s.
	SessionTimeout time.Duration
	Topics         Topics

	// PostHogGroups are the types of PostHog groups that are accounts; the first that an event has counts. Default
	// company, organization and account.
	PostHogGroups []string

	// Sources are the webhooks that are taken, below /v1/webhooks/.
	Sources mapping.Sources

	// WriteKeys that clients may use for everything, and Keys with a scope; without any every client is accepted.
	// Each is one key, or reveals one a line; they are read again while it runs.
	WriteKeys []secret.Secret
	Keys      access.Keys

	// Privacy is what is kept of the events of a source, and HashKey what hashes are keyed by.
	Privacy access.Policies
	HashKey []byte

	// Origins are those of the web pages whose scripts may send, such as https://app.example.com; * is all of them. Default none.
	Origins []string
	// Certificate is the collector's own, for TLS; nil serves plain HTTP.
	Certificate func() (*tls.Certificate, error)

	MaxEventBytes int // default 32 KiB, after decompression
	MaxBatchBytes int // default 500 KiB, after decompression
	// Limits are the pipeline's, by which signals are refused. Default 10 minutes ahead, 5 years back.
	Limits      decode.Limits
	MaxInFlight int // events being written to Kafka at once; default 20000
	MaxRequests int // requests being handled at once; default 512

	Linger       time.Duration // wait for more events before a write; default 5ms
	WriteTimeout time.Duration // after which a request gets 503; default 8s, below the SDKs' 10s
	DrainTimeout time.Duration // for requests in flight at the end; default 15s

	// ParkFor is how long an event waits for its user's account. After that it
	// goes on without one, and the pipeline reports it as no_account. Default
	// 30 days.
	ParkFor time.Duration
	// MaxParked bounds the waiting events in memory per parked partition; above
	// it the oldest go on without an account. Default 100000.
	MaxParked int

	Now func() time.Time // default time.Now
}

// Topics are the names of the topics that the collector uses.
type Topics struct {
	Telemetry string // default "telemetry"
	Users     string // default "users", compacted
	Accounts  string // default "accounts", compacted
	Signals   string // default "signals"
	Tickets   string // default "tickets"
	Parked    string // default "parked", compacted
}

// withDefaults returns c with defaults filled in, or all that is wrong with it.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.Listen, ":8080")
	setDefault(&c.ClientID, "tidemark-collector")
	setDefault(&c.Group, "tidemark-collector")
	setDefault(&c.SessionTimeout, 10*time.Second)
	setDefault(&c.Topics.Telemetry, "telemetry")
	setDefault(&c.Topics.Users, "users")
	setDefault(&c.Topics.Accounts, "accounts")
	setDefault(&c.Topics.Signals, "signals")
	setDefault(&c.Topics.Tickets, "tickets")
	setDefault(&c.Topics.Parked, "parked")
	setDefault(&c.MaxEventBytes, 32<<10)
	setDefault(&c.MaxBatchBytes, 500<<10)
	setDefault(&c.Limits.MaxFuture, 10*time.Minute)
	setDefault(&c.Limits.MaxAge, 43800*time.Hour)
	setDefault(&c.MaxInFlight, 20_000)
	setDefault(&c.MaxRequests, 512)
	setDefault(&c.Linger, 5*time.Millisecond)
	setDefault(&c.WriteTimeout, 8*time.Second)
	setDefault(&c.DrainTimeout, 15*time.Second)
	setDefault(&c.ParkFor, 30*24*time.Hour)
	setDefault(&c.MaxParked, 100_000)
	if len(c.PostHogGroups) == 0 {
		c.PostHogGroups = []string{"company", "organization", "account"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("brokers is empty: name at least one Kafka broker as host:port"))
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"max_event_bytes", int64(c.MaxEventBytes)}, {"max_batch_bytes", int64(c.MaxBatchBytes)},
		{"max_in_flight", int64(c.MaxInFlight)}, {"max_requests", int64(c.MaxRequests)},
		{"session_timeout", int64(c.SessionTimeout)}, {"linger", int64(c.Linger)}, {"write_timeout", int64(c.WriteTimeout)}, {"drain_timeout", int64(c.DrainTimeout)},
		{"park_for", int64(c.ParkFor)}, {"max_parked", int64(c.MaxParked)},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s is negative: use a positive value, or leave it out for the default", f.name))
		}
	}
	for i, key := range c.WriteKeys {
		if !key.IsSet() {
			errs = append(errs, fmt.Errorf("write_keys[%d] is empty: an empty key would let every client in; remove it", i))
		}
	}
	if _, err := c.SASL.Franz(); err != nil {
		errs = append(errs, err)
	}
	return c, errors.Join(errs...)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
