package recount

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fetchBytes bounds one fetch: large enough that a million events take a few
// hundred round trips.
const fetchBytes = 8 << 20

// record is one record of a partition.
type record struct {
	offset     int64
	time       int64 // Unix milliseconds
	key, value []byte
}

// partition is a source with the range of offsets to read, [start, end).
type partition struct {
	source     string
	topic      string
	number     int
	start, end int64
}

// log reads committed records of some topics.
type log struct {
	client     *kafka.Client
	transport  *kafka.Transport
	partitions []partition
}

// openLog finds the partitions of the topics and where each ends now.
func openLog(ctx context.Context, opts Options) (*log, error) {
	transport := opts.Transport
	if transport == nil {
		transport = &kafka.Transport{}
	}
	l := &log{transport: transport, client: &kafka.Client{Addr: kafka.TCP(opts.Brokers...), Transport: transport}}
	for _, topic := range []string{opts.Accounts, opts.Telemetry, opts.Tickets} {
		if topic == "" {
			continue
		}
		if err := l.addTopic(ctx, opts, topic); err != nil {
			l.close()
			return nil, fmt.Errorf("find the partitions of topic %s: %w", topic, err)
		}
	}
	return l, nil
}

func (l *log) close() { l.transport.CloseIdleConnections() }

func (l *log) addTopic(ctx context.Context, opts Options, topic string) error {
	id, count, err := describeTopic(ctx, opts, topic)
	if err != nil {
		return err
	}
	request := make([]kafka.OffsetRequest, 0, 2*count)
	for p := range count {
		request = append(request, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	offsets, err := l.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics:         map[string][]kafka.OffsetRequest{topic: request},
		IsolationLevel: kafka.ReadCommitted,
	})
	if err != nil {
		return err
	}
	for _, o := range offsets.Topics[topic] {
		if o.Error != nil {
			return fmt.Errorf("offsets of partition %d: %w", o.Partition, o.Error)
		}
		l.partitions = append(l.partitions, partition{
			source: fmt.Sprintf("%s/%d@%s", topic, o.Partition, id),
			topic:  topic, number: o.Partition, start: o.FirstOffset, end: o.LastOffset,
		})
	}
	slices.SortStableFunc(l.partitions, func(a, b partition) int {
		if a.topic != b.topic {
			return 0
		}
		return a.number - b.number
	})
	return nil
}

// describeTopic returns the topic's id, as Kafka prints it, and the number of
// its partitions. It asks with kadm: kafka-go's metadata request ends at a
// version without topic ids.
func describeTopic(ctx context.Context, opts Options, topic string) (string, int, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...), kgo.DisableClientMetrics())
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

// read calls each for every committed record of p, in order.
func (l *log) read(ctx context.Context, p partition, each func(record)) error {
	for next := p.start; next < p.end; {
		after, err := l.fetch(ctx, p, next, each)
		if err != nil {
			return fmt.Errorf("read %s from offset %d: %w", p.source, next, err)
		}
		next = after
	}
	return nil
}

// fetch reads one response's worth of records from offset from on, and returns
// the next offset to ask for.
func (l *log) fetch(ctx context.Context, p partition, from int64, each func(record)) (int64, error) {
	response, err := l.transport.RoundTrip(ctx, l.client.Addr, &fetch.Request{
		ReplicaID: -1, MaxWaitTime: 1000, MinBytes: 1, MaxBytes: fetchBytes,
		IsolationLevel: int8(kafka.ReadCommitted), SessionID: -1, SessionEpoch: -1,
		Topics: []fetch.RequestTopic{{Topic: p.topic, Partitions: []fetch.RequestPartition{{
			Partition: int32(p.number), CurrentLeaderEpoch: -1, FetchOffset: from,
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
	reader := batchReader{next: from, end: p.end, each: each, aborted: part.AbortedTransactions}
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
	each      func(record)
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
		b.each(record{offset: r.Offset, time: r.Time.UnixMilli(), key: key, value: value})
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
