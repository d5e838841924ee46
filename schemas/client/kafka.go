package client

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
)

// KafkaOptions say how to reach Kafka.
type KafkaOptions struct {
	Brokers            []string         // host:port
	Transport          *kafka.Transport // with TLS and SASL, and closed with the emitter; optional
	Telemetry, Signals string           // topics; default "telemetry" and "signals"
}

type kafkaTransport struct {
	options KafkaOptions
	writer  *kafka.Writer
}

// Kafka writes to Tidemark's topics, acknowledged by all in-sync replicas, keyed by account and partitioned as the collector does. Every
// event must name its account: nobody looks up its user's, and what Identify and Group say of accounts is not kept.
func Kafka(o KafkaOptions) Transport {
	o.Telemetry, o.Signals = cmp.Or(o.Telemetry, "telemetry"), cmp.Or(o.Signals, "signals")
	if o.Transport == nil {
		o.Transport = &kafka.Transport{ClientID: "tidemark-client"}
	}
	return &kafkaTransport{options: o, writer: &kafka.Writer{
		Addr: kafka.TCP(o.Brokers...), Balancer: kafka.Murmur2Balancer{Consistent: true}, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond, MaxAttempts: 1, Transport: o.Transport, Compression: kafka.Snappy,
	}}
}

func (*kafkaTransport) Check(e Event) error {
	if e.Key == "" {
		return errors.New("the event names no account: set AccountID, or send to the collector, which looks it up")
	}
	return nil
}

func (t *kafkaTransport) Close() error {
	err := t.writer.Close()
	t.options.Transport.CloseIdleConnections()
	return err
}

func (t *kafkaTransport) Send(ctx context.Context, events []Event) error {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	topic := t.options.Telemetry
	if events[0].Kind == Signals {
		topic = t.options.Signals
	}
	messages := make([]kafka.Message, len(events))
	for i, e := range events {
		messages[i] = kafka.Message{Topic: topic, Key: []byte(e.Key), Value: e.Body}
	}
	err := t.writer.WriteMessages(ctx, messages...)
	var each kafka.WriteErrors
	if !errors.As(err, &each) || len(each) != len(events) {
		return err
	}
	var left []Event
	for i, e := range each {
		if e == nil {
			continue
		}
		left = append(left, events[i])
		err = e
	}
	if errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.InvalidRecord) {
		err = &RefusedError{Index: -1, Reason: err.Error()}
	}
	return &PartialError{Left: left, Err: err}
}
