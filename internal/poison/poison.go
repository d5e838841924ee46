// Package poison makes batches of records that no decent producer makes: small ones that hold gigabytes or millions of
// records, broken ones, and ones that are not what they say. Tests produce them as they are, past every client.
package poison

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Batch returns a batch that says to hold n records, which payload holds, compressed as codec says.
func Batch(codec kgo.CompressionCodecType, n int32, payload []byte) []byte {
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(codec), LastOffsetDelta: n - 1, FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: n, Records: payload,
	}
	return Seal(b.AppendTo(nil))
}

// Seal sets a batch's length and checksum to what they should be.
func Seal(batch []byte) []byte {
	binary.BigEndian.PutUint32(batch[8:], uint32(len(batch)-12)) //nolint:gosec // small
	binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[21:], crc32.MakeTable(crc32.Castagnoli)))
	return batch
}

// Record appends a record without key and headers.
func Record(to []byte, offsetDelta int64, value []byte) []byte {
	body := []byte{0, 0} // attributes, time
	body = binary.AppendVarint(body, offsetDelta)
	body = binary.AppendVarint(body, -1)
	body = binary.AppendVarint(body, int64(len(value)))
	to = binary.AppendVarint(to, int64(len(body)+len(value)+1))
	return append(append(append(to, body...), value...), 0)
}

// Bomb returns a batch of one record, valid in every respect, whose value is that many zeros.
func Bomb(codec kgo.CompressionCodecType, size int64) ([]byte, error) {
	head := []byte{0, 0, 0}
	head = binary.AppendVarint(head, -1)
	head = binary.AppendVarint(head, size)
	head = append(binary.AppendVarint(nil, int64(len(head))+size+1), head...)
	payload, err := packed(codec, io.MultiReader(bytes.NewReader(head), io.LimitReader(zeros{}, size+1)))
	return Batch(codec, 1, payload), err
}

// Crowd returns a batch of n records without anything in them.
func Crowd(codec kgo.CompressionCodecType, n int32) ([]byte, error) {
	var records []byte
	for i := range n {
		records = Record(records, int64(i), nil)
	}
	payload, err := packed(codec, bytes.NewReader(records))
	return Batch(codec, n, payload), err
}

func packed(codec kgo.CompressionCodecType, content io.Reader) ([]byte, error) {
	var out bytes.Buffer
	var w io.WriteCloser
	switch codec {
	case kgo.CodecGzip:
		w = gzip.NewWriter(&out)
	case kgo.CodecLz4:
		w = lz4.NewWriter(&out)
	case kgo.CodecZstd:
		z, err := zstd.NewWriter(&out)
		if err != nil {
			return nil, err
		}
		w = z
	default:
		return nil, fmt.Errorf("no bomb is made with compression %d", codec)
	}
	// As a plain writer: that of lz4 cannot be closed after ReadFrom.
	if _, err := io.Copy(struct{ io.Writer }{w}, content); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Produce sends a batch as it is and returns the offset of its first record, or why the broker refuses it.
func Produce(ctx context.Context, client *kgo.Client, topic string, partition int32, batch []byte) (int64, error) {
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("find topic %s: %w", topic, err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 30_000
	t := kmsg.NewProduceRequestTopic()
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, batch
	t.Topic, t.TopicID, t.Partitions = topic, topics[topic].ID, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	answer, err := client.Broker(int(topics[topic].Partitions[partition].Leader)).RetriableRequest(ctx, req)
	if err != nil {
		return 0, fmt.Errorf("produce to %s/%d: %w", topic, partition, err)
	}
	resp := answer.(*kmsg.ProduceResponse) //nolint:forcetypeassert // a request has one kind of response
	at := resp.Topics[0].Partitions[0]
	return at.BaseOffset, kerr.ErrorForCode(at.ErrorCode)
}
