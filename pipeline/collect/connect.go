package collect

import (
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/unpack"
	"tidemark/sinks/kafka/login"
)

const dialTimeout = 3 * time.Second

// clientOptions are the options that all franz-go clients of the collector share.
func (c Config) clientOptions() ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.Dialer(login.Dialer(c.TLS, dialTimeout)),
		// The time between a new leader or partition and its use.
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.ProduceRequestTimeout(5 * time.Second),
		kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.WithDecompressor(unpack.New(0)), // a batch is bounded
	}
	mechanism, err := c.SASL.Franz()
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
	mechanism, err := c.SASL.KafkaGo()
	if err != nil {
		return nil, err
	}
	return &kafka.Transport{
		Dial:        login.Dialer(c.TLS, dialTimeout),
		DialTimeout: dialTimeout,
		ClientID:    c.ClientID,
		SASL:        mechanism,
		// Bounds how long a moved leader goes unnoticed.
		MetadataTTL:    time.Second,
		MetadataTopics: []string{c.Topics.Telemetry, c.Topics.Signals, c.Topics.Tickets, c.Topics.Parked},
	}, nil
}
