package recount

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fetchBytes bounds one fetch: large enough that a million events take a few
// hundred round trips.
const fetchBytes = 8 << 20

// fetchTimeout bounds one fetch, leader elections included.
const fetchTimeout = time.Minute

// Record is one record of a partition; Time is in Unix milliseconds.
type Record struct {
	Offset     int64
	Time       int64
	Key, Value []byte
}

// Partition is a source with the range of offsets that it had when it was
// looked at, [Start, End).
type Partition struct {
	Source     string // topic/partition@topic id
	Topic      string
	Number     int
	Start, End int64
}

// Log reads committed records of some topics.
type Log struct {
	Partitions []Partition // by topic (accounts, signals, telemetry, tickets) and number

	client    *kafka.Client
	transport *kafka.Transport
}

// Open finds the partitions of the topics and where each begins and ends now.
func Open(ctx context.Context, opts Options) (*Log, error) {
	transport := opts.Transport
	if transport == nil {
		transport = &kafka.Transport{}
	}
	l := &Log{transport: transport, client: &kafka.Client{Addr: kafka.TCP(opts.Brokers...), Transport: transport}}
	for _, topic := range []string{opts.Accounts, opts.Signals, opts.Telemetry, opts.Tickets} {
		if topic == "" {
			continue
		}
		if err := l.addTopic(ctx, opts, topic); err != nil {
			l.Close()
			return nil, fmt.Errorf("find the partitions of topic %s: %w", topic, err)
		}
	}
	return l, nil
}

// Close closes the connections.
func (l *Log) Close() { l.transport.CloseIdleConnections() }

func (l *Log) addTopic(ctx context.Context, opts Options, topic string) error {
	id, count, err := describeTopic(ctx, opts, topic)
	if err != nil {
		return err
	}
	numbers := make([]int, count)
	for p := range numbers {
		numbers[p] = p
	}
	offsets, err := l.offsets(ctx, topic, numbers...)
	if err != nil {
		return err
	}
	for _, o := range offsets {
		l.Partitions = append(l.Partitions, Partition{
			Source: fmt.Sprintf("%s/%d@%s", topic, o.Partition, id),
			Topic:  topic, Number: o.Partition, Start: o.FirstOffset, End: o.LastOffset,
		})
	}
	return nil
}

// End is the offset at which the partition ends now.
func (l *Log) End(ctx context.Context, p Partition) (int64, error) {
	offsets, err := l.offsets(ctx, p.Topic, p.Number)
	if err != nil {
		return 0, fmt.Errorf("find the end of %s: %w", p.Source, err)
	}
	return offsets[0].LastOffset, nil
}

// offsets are the ends of partitions of a topic, by number.
func (l *Log) offsets(ctx context.Context, topic string, partitions ...int) ([]kafka.PartitionOffsets, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request := make([]kafka.OffsetRequest, 0, 2*len(partitions))
	for _, p := range partitions {
		request = append(request, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	response, err := l.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics:         map[string][]kafka.OffsetRequest{topic: request},
		IsolationLevel: kafka.ReadCommitted,
	})
	if err != nil {
		return nil, err
	}
	offsets := response.Topics[topic]
	for _, o := range offsets {
		if o.Error != nil {
			return nil, fmt.Errorf("offsets of partition %d: %w", o.Partition, o.Error)
		}
	}
	if len(offsets) != len(partitions) {
		return nil, fmt.Errorf("asked for the offsets of %d partitions, the broker told those of %d", len(partitions), len(offsets))
	}
	slices.SortFunc(offsets, func(a, b kafka.PartitionOffsets) int { return a.Partition - b.Partition })
	return offsets, nil
}

// describeTopic returns the topic's id, as Kafka prints it, and the number of
// its partitions. It asks with kadm: kafka-go's metadata request ends at a
// version without topic ids.
func describeTopic(ctx context.Context, opts Options, topic string) (string, int, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(opts.Brokers...), kgo.DisableClientMetrics()}, opts.Kafka...)...)
	if err != nil {
		return "", 0, err
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return "", 0, err
	}
	detail := topics[topic]
	if detail.Err != nil {
		return "", 0, detail.Err
	}
	return base64.RawURLEncoding.EncodeToString(detail.ID[:]), len(detail.Partitions), nil
}

// Read calls each for every committed record of [p.Start, p.End), in order. An
// error of each ends it, and is returned as it is.
func (l *Log) Read(ctx context.Context, p Partition, each func(Record) error) error {
	for next := p.Start; next < p.End; {
		var records []Record
		after, err := l.fetch(ctx, p, next, func(r Record) { records = append(records, r) })
		if err != nil {
			return fmt.Errorf("read %s from offset %d: %w", p.Source, next, err)
		}
		for _, r := range records {
			if err := each(r); err != nil {
				return err
			}
		}
		next = after
	}
	return nil
}

// fetch reads one response's worth of records from offset from on, and returns
// the next offset to ask for.
func (l *Log) fetch(ctx context.Context, p Partition, from int64, each func(Record)) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	response, err := l.transport.RoundTrip(ctx, l.client.Addr, &fetch.Request{
		ReplicaID: -1, MaxWaitTime: 1000, MinBytes: 1, MaxBytes: fetchBytes,
		IsolationLevel: int8(kafka.ReadCommitted), SessionID: -1, SessionEpoch: -1,
		Topics: []fetch.RequestTopic{{Topic: p.Topic, Partitions: []fetch.RequestPartition{{
			Partition: int32(p.Number), CurrentLeaderEpoch: -1, FetchOffset: from, //nolint:gosec // a partition
			LogStartOffset: -1, PartitionMaxBytes: fetchBytes,
		}}}},
	})
	if err != nil {
		return from, err
	}
	res, ok := response.(*fetch.Response)
	if !ok || len(res.Topics) == 0 || len(res.Topics[0].Partitions) == 0 {
		return from, fmt.Errorf("the broker answered a fetch with %T and no partition", response)
	}
	part := res.Topics[0].Partitions[0]
	if code := max(part.ErrorCode, res.ErrorCode); code != 0 {
		return from, kafka.Error(code)
	}
	stream, ok := part.RecordSet.Records.(*protocol.RecordStream)
	if !ok {
		return from, nil // nothing yet: ask again
	}
	reader := batchReader{next: from, end: p.End, each: each, aborted: part.AbortedTransactions}
	for _, batch := range stream.Records {
		if err := reader.read(batch); err != nil {
			return from, err
		}
	}
	return reader.next, nil
}

// batchReader passes on the records of batches that are not control records,
// not of an aborted transaction, and inside [next, end).
type batchReader struct {
	next, end int64
	each      func(Record)
	aborted   []fetch.ResponseTransaction
}

func (b *batchReader) read(batch protocol.RecordReader) error {
	skip, base := false, int64(-1)
	switch t := batch.(type) {
	case *protocol.ControlBatch:
		skip, base = true, t.BaseOffset
		b.endTransaction(t.ProducerID, t.BaseOffset)
	case *protocol.RecordBatch:
		skip, base = t.Attributes.Transactional() && b.isAborted(t.ProducerID, t.BaseOffset), t.BaseOffset
	}
	for {
		r, err := batch.ReadRecord()
		if errors.Is(err, io.EOF) {
			b.next = max(b.next, base+1) // a batch that compaction emptied
			return nil
		}
		if err != nil {
			return err
		}
		if err := b.pass(r, skip); err != nil {
			return err
		}
	}
}

func (b *batchReader) pass(r *protocol.Record, skip bool) error {
	key, err := protocol.ReadAll(r.Key)
	if err != nil {
		return err
	}
	value, err := protocol.ReadAll(r.Value)
	if err != nil {
		return err
	}
	if r.Offset < b.next || r.Offset >= b.end {
		return nil
	}
	b.next = r.Offset + 1
	if !skip {
		b.each(Record{Offset: r.Offset, Time: r.Time.UnixMilli(), Key: key, Value: value})
	}
	return nil
}

func (b *batchReader) isAborted(producer, offset int64) bool {
	return slices.ContainsFunc(b.aborted, func(t fetch.ResponseTransaction) bool {
		return t.ProducerID == producer && t.FirstOffset <= offset
	})
}

// endTransaction forgets the aborted transaction that a control record ends.
func (b *batchReader) endTransaction(producer, offset int64) {
	b.aborted = slices.DeleteFunc(b.aborted, func(t fetch.ResponseTransaction) bool {
		return t.ProducerID == producer && t.FirstOffset <= offset
	})
}
