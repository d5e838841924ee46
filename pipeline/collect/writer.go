package collect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"go.uber.org/zap"
)

// writer puts events into Kafka: acknowledged by all in-sync replicas, keyed as
// Java clients key, so that every producer sends an account to one partition.
// Each partition has one write under way; what comes meanwhile makes up the
// next, so the batches grow with the load and with Kafka's answer time. (The
// kafka-go Writer queues a batch per linger instead: an account whose partition
// takes 10 ms to acknowledge could not get more than a few hundred events/s.)
type writer struct {
	client    *kafka.Client
	transport *kafka.Transport
	balancer  kafka.Balancer
	topics    []string
	linger    time.Duration
	metrics   *metrics
	log       *zap.Logger

	mu     sync.Mutex
	queues map[topicPartition]*queue
	closed bool
	ended  sync.WaitGroup
}

type topicPartition struct {
	topic     string
	partition int
}

var errWriterClosed = errors.New("the writer is closed")

func newWriter(c Config, m *metrics, log *zap.Logger) (*writer, error) {
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	return &writer{
		client:    &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: transport},
		transport: transport,
		balancer:  kafka.Murmur2Balancer{Consistent: true},
		topics:    []string{c.Topics.Telemetry, c.Topics.Signals, c.Topics.Tickets, c.Topics.Parked},
		linger:    c.Linger,
		metrics:   m,
		log:       log,
		queues:    map[topicPartition]*queue{},
	}, nil
}

// write returns nil once Kafka has every record, and an error soon after
// deadline at the latest. After an error any of the records may be in Kafka, or
// still arrive there, but none is tried again.
func (w *writer) write(records []kafka.Message, deadline time.Time) error {
	if len(records) == 0 {
		return nil
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	parts, err := w.assign(ctx, records)
	if err != nil {
		return err
	}
	waiting := make([]*pending, 0, len(parts))
	var errs []error
	for tp, mine := range parts {
		p := &pending{records: mine, deadline: deadline, done: make(chan error, 1)}
		if err := w.enqueue(tp, p); err != nil {
			errs = append(errs, err)
			continue
		}
		waiting = append(waiting, p)
	}
	for _, p := range waiting {
		errs = append(errs, <-p.done)
	}
	return errors.Join(errs...)
}

// assign splits records by the partition they belong to.
func (w *writer) assign(ctx context.Context, records []kafka.Message) (map[topicPartition][]kafka.Message, error) {
	count, err := w.partitionCounts(ctx)
	if err != nil {
		return nil, err
	}
	parts := map[topicPartition][]kafka.Message{}
	for _, r := range records {
		numbers, ok := count[r.Topic]
		if !ok {
			return nil, fmt.Errorf("topic %q: %w", r.Topic, kafka.UnknownTopicOrPartition)
		}
		tp := topicPartition{r.Topic, w.balancer.Balance(r, numbers...)}
		parts[tp] = append(parts[tp], r)
	}
	return parts, nil
}

// partitionCounts returns the partition numbers of the topics. The transport
// answers from its cache.
func (w *writer) partitionCounts(ctx context.Context) (map[string][]int, error) {
	answer, err := w.transport.RoundTrip(ctx, w.client.Addr, &metadata.Request{TopicNames: w.topics})
	if err != nil {
		return nil, fmt.Errorf("ask kafka for the partitions: %w", err)
	}
	numbers := map[string][]int{}
	for _, topic := range answer.(*metadata.Response).Topics {
		if topic.ErrorCode != 0 || len(topic.Partitions) == 0 {
			continue
		}
		list := make([]int, len(topic.Partitions))
		for i := range list {
			list[i] = i
		}
		numbers[topic.Name] = list
	}
	return numbers, nil
}

func (w *writer) enqueue(tp topicPartition, p *pending) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errWriterClosed
	}
	q := w.queues[tp]
	if q == nil {
		q = &queue{topicPartition: tp, writer: w, wake: make(chan struct{}, 1), stop: make(chan struct{})}
		w.queues[tp] = q
		w.ended.Go(q.run)
	}
	q.put(p)
	return nil
}

// produce makes one attempt to write the records.
func (w *writer) produce(ctx context.Context, tp topicPartition, records []kafka.Record) error {
	answer, err := w.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: tp.topic, Partition: tp.partition, RequiredAcks: kafka.RequireAll,
		Compression: compress.Snappy, Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = answer.Error
	}
	return err
}

// close writes what is waiting and gives up when ctx ends.
func (w *writer) close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	for _, q := range w.queues {
		close(q.stop)
	}
	w.queues = nil
	w.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		w.ended.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		w.transport.CloseIdleConnections()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush events to kafka: %w", ctx.Err())
	}
}
