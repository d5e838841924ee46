package collect

import (
	"context"
	"fmt"
	"net"
	"time"

	kafka "github.com/segmentio/kafka-go"
	kafkasasl "github.com/segmentio/kafka-go/sasl"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"tidemark/pipeline/unpack"
)

const dialTimeout = 3 * time.Second

// clientOptions are the options that all franz-go clients of the collector share.
func (c Config) clientOptions() ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.DialTimeout(dialTimeout),
		// The time between a new leader or partition and its use.
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.ProduceRequestTimeout(5 * time.Second),
		kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.WithDecompressor(unpack.New(0)), // a batch is bounded
	}
	if c.TLS != nil {
		options = append(options, kgo.DialTLSConfig(c.TLS))
	}
	mechanism, err := c.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		options = append(options, kgo.SASL(mechanism))
	}
	return options, nil
}

// transport is the connection pool of the kafka-go writer.
func (c Config) transport() (*kafka.Transport, error) {
	mechanism, err := c.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	t := &kafka.Transport{
		Dial:        (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DialTimeout: dialTimeout,
		ClientID:    c.ClientID,
		TLS:         c.TLS,
		// Bounds how long a moved leader goes unnoticed.
		MetadataTTL:    time.Second,
		MetadataTopics: []string{c.Topics.Telemetry, c.Topics.Signals, c.Topics.Tickets, c.Topics.Parked},
	}
	if mechanism != nil {
		t.SASL = saslAdapter{mechanism}
	}
	return t, nil
}

// mechanism returns nil when s is nil: no authentication.
func (s *SASL) mechanism() (sasl.Mechanism, error) {
	if s == nil {
		return nil, nil
	}
	switch s.Mechanism {
	case "PLAIN":
		return plain.Auth{User: s.User, Pass: s.Password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("sasl mechanism %q is unknown: use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.Mechanism)
}

// saslAdapter lets kafka-go authenticate with franz-go's mechanisms, so that
// both clients of the collector do it the same way.
type saslAdapter struct{ sasl.Mechanism }

func (a saslAdapter) Start(ctx context.Context) (kafkasasl.StateMachine, []byte, error) {
	host := ""
	if meta := kafkasasl.MetadataFromContext(ctx); meta != nil {
		host = meta.Host
	}
	session, first, err := a.Authenticate(ctx, host)
	return saslSession{session}, first, err
}

type saslSession struct{ sasl.Session }

func (s saslSession) Next(_ context.Context, challenge []byte) (bool, []byte, error) {
	return s.Challenge(challenge)
}
