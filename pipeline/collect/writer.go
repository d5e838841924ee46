package collect

import (
	"context"
	"errors"
	"fmt"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"go.uber.org/zap"
)

// writer puts events into Kafka: acknowledged by all in-sync replicas, keyed as
// Java clients key, so that every producer sends an account to one partition.
type writer struct {
	kafka     *kafka.Writer
	transport *kafka.Transport
}

func newWriter(c Config, m *metrics, log *zap.Logger) (*writer, error) {
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	return &writer{
		transport: transport,
		kafka: &kafka.Writer{
			Addr:         kafka.TCP(c.Brokers...),
			Balancer:     kafka.Murmur2Balancer{Consistent: true},
			RequiredAcks: kafka.RequireAll,
			Compression:  compress.Lz4,
			BatchTimeout: c.Linger,
			BatchSize:    500,
			Transport:    transport,
			// A write that outlives its request's 503 is still retried for a
			// while; its events stay in flight until then.
			MaxAttempts:     5,
			WriteBackoffMin: 50 * time.Millisecond,
			WriteBackoffMax: 500 * time.Millisecond,
			WriteTimeout:    c.WriteTimeout,
			ReadTimeout:     c.WriteTimeout,
			ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) {
				m.writeErrors.Inc()
				log.Warn("write to kafka", zap.String("error", fmt.Sprintf(format, args...)))
			}),
		},
	}, nil
}

// write returns nil once Kafka has every record.
func (w *writer) write(ctx context.Context, records []kafka.Message) error {
	err := w.kafka.WriteMessages(ctx, records...)
	var each kafka.WriteErrors
	if errors.As(err, &each) {
		for _, err := range each {
			if err != nil {
				return fmt.Errorf("write %d of %d events: %w", each.Count(), len(records), err)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("write %d events: %w", len(records), err)
	}
	return nil
}

// close writes what is waiting and gives up when ctx ends.
func (w *writer) close(ctx context.Context) error {
	closed := make(chan error, 1)
	go func() { closed <- w.kafka.Close() }()
	select {
	case err := <-closed:
		w.transport.CloseIdleConnections()
		return err
	case <-ctx.Done():
		return fmt.Errorf("flush events to kafka: %w", ctx.Err())
	}
}
