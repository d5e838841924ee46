package collect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"go.uber.org/zap"
)

const (
	// maxWriteBytes is below the 1 MiB that brokers accept by default.
	maxWriteBytes = 900_000
	// recordOverhead is about what a record takes besides key and value.
	recordOverhead = 32
	firstRetry     = 20 * time.Millisecond
	lastRetry      = 500 * time.Millisecond
)

// pending are the records of one request for one partition.
type pending struct {
	records  []kafka.Message
	deadline time.Time
	done     chan error // gets the result, once
}

// queue holds what waits for one partition. The number of waiting events is
// bounded by the collector's max_in_flight.
type queue struct {
	topicPartition
	writer *writer
	wake   chan struct{} // something was put
	stop   chan struct{} // end when empty

	mu      sync.Mutex
	waiting []*pending
}

func (q *queue) put(p *pending) {
	q.mu.Lock()
	q.waiting = append(q.waiting, p)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run writes until stop is closed and nothing waits.
func (q *queue) run() {
	for {
		batch := q.take()
		if len(batch) > 0 {
			err := q.write(batch)
			for _, p := range batch {
				p.done <- err
			}
			continue
		}
		select {
		case <-q.wake:
			q.linger()
		case <-q.stop:
			if q.empty() {
				return
			}
		}
	}
}

// linger waits for more events, so that a trickle of them does not become a
// write each.
func (q *queue) linger() {
	select {
	case <-time.After(q.writer.linger):
	case <-q.stop:
	}
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0
}

// take removes what makes up the next write from the front of the queue. What
// has waited too long fails.
func (q *queue) take() []*pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	size, n := 0, 0
	var batch []*pending
	for _, p := range q.waiting {
		if now.After(p.deadline) {
			p.done <- fmt.Errorf("write to %s/%d: %w", q.topic, q.partition, context.DeadlineExceeded)
			n++
			continue
		}
		bytes := 0
		for _, r := range p.records {
			bytes += len(r.Key) + len(r.Value) + recordOverhead
			for _, h := range r.Headers {
				bytes += len(h.Key) + len(h.Value)
			}
		}
		if size += bytes; size > maxWriteBytes && len(batch) > 0 {
			break
		}
		batch = append(batch, p)
		n++
	}
	clear(q.waiting[:n])
	q.waiting = q.waiting[n:]
	return batch
}

// write repeats the batch until Kafka has it, will never have it, or the last
// of its requests has run out of time.
func (q *queue) write(batch []*pending) error {
	ctx, cancel := context.WithDeadline(context.Background(), batch[len(batch)-1].deadline)
	defer cancel()
	now := time.Now()
	var records []kafka.Message
	for _, p := range batch {
		records = append(records, p.records...)
	}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := q.writer.produce(ctx, q.topicPartition, kafkaRecords(records, now))
		if err == nil {
			return nil
		}
		q.writer.metrics.writeErrors.Inc()
		q.writer.log.Warn("write to kafka", zap.String("topic", q.topic), zap.Int("partition", q.partition), zap.Int("events", len(records)), zap.Error(err))
		if permanent(err) {
			return fmt.Errorf("write to %s/%d: %w", q.topic, q.partition, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("write to %s/%d: %w", q.topic, q.partition, errors.Join(ctx.Err(), err))
		case <-time.After(wait):
		}
	}
}

// kafkaRecords makes readers of the records, for one attempt.
func kafkaRecords(messages []kafka.Message, now time.Time) []kafka.Record {
	records := make([]kafka.Record, len(messages))
	for i, m := range messages {
		records[i] = kafka.Record{Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: m.Headers, Time: now}
	}
	return records
}

// permanent reports whether Kafka itself said that a repetition cannot help.
func permanent(err error) bool {
	var e kafka.Error
	return errors.As(err, &e) && !e.Temporary()
}
