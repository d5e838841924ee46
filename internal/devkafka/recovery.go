package devkafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// recoverDir repairs a data directory whose last broker did not close. kfake takes transactions that were open then for aborted,
// but writes no abort markers: readers would drop what the same producer commits next, and a second crash would turn the
// aborted records into committed ones. So a private broker, which no client knows, writes the markers first. The sequence
// numbers saved by an earlier Close go as well, because producers that went on since would be refused for a gap.
func recoverDir(ctx context.Context, opts Options, log kfake.Logger) error {
	dir := opts.DataDir
	if err := os.Remove(filepath.Join(dir, "seq_windows.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("drop saved sequence numbers: %w", err)
	}
	markers, err := missingMarkers(dir)
	if err != nil || len(markers) == 0 {
		return err
	}
	opts.Port = 0
	cluster, err := kfake.NewCluster(clusterOptions(opts, log)...)
	if err != nil {
		return fmt.Errorf("open the directory: %w", err)
	}
	defer cluster.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		return fmt.Errorf("client to write abort markers: %w", err)
	}
	defer cl.Close()
	responses, err := kadm.NewClient(cl).WriteTxnMarkers(ctx, markers...)
	if err != nil {
		return fmt.Errorf("write abort markers: %w", err)
	}
	responses.EachPartition(func(p kadm.TxnMarkersPartitionResponse) {
		if p.Err != nil {
			err = errors.Join(err, fmt.Errorf("write abort marker to %s/%d: %w", p.Topic, p.Partition, p.Err))
		}
	})
	return err
}

// missingMarkers reads all logs and returns an abort for every transaction that has records but no end. Such partitions lose their
// snapshot, which may be older than the transaction, so that kfake reads their logs as well.
func missingMarkers(dir string) ([]kadm.TxnMarkers, error) {
	root := filepath.Join(dir, "partitions")
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	var out []kadm.TxnMarkers
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		topic, partition, err := parsePartitionDir(e.Name())
		if err != nil {
			return nil, err
		}
		open, err := openTransactions(dir, topic, partition)
		if err != nil {
			return nil, err
		}
		for producer, epoch := range open {
			m := kadm.TxnMarkers{ProducerID: producer, ProducerEpoch: epoch, Topics: make(kadm.TopicsSet)}
			m.Topics.Add(topic, partition)
			out = append(out, m)
		}
		if len(open) == 0 {
			continue
		}
		if err := os.Remove(filepath.Join(root, e.Name(), "snapshot.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("drop the snapshot of %s/%d: %w", topic, partition, err)
		}
	}
	return out, nil
}

// openTransactions returns the producers, with their epochs, whose last transactional record has no marker after it.
func openTransactions(dataDir, topic string, partition int32) (map[int64]int16, error) {
	segments, err := readSegments(dataDir, topic, partition)
	if err != nil {
		return nil, err
	}
	open := make(map[int64]int16)
	for _, s := range segments {
		raw, err := os.ReadFile(s.path)
		if err != nil {
			return nil, fmt.Errorf("read a segment of %s/%d: %w", topic, partition, err)
		}
		for len(raw) > 0 {
			batch, size := nextBatch(raw)
			if size == 0 {
				break // a torn write at the end; kfake cuts it off
			}
			const transactional, control = 0x10, 0x20
			switch {
			case batch.Attributes&control != 0:
				delete(open, batch.ProducerID)
			case batch.Attributes&transactional != 0:
				open[batch.ProducerID] = batch.ProducerEpoch
			}
			raw = raw[size:]
		}
	}
	return open, nil
}

// nextBatch decodes the record batch at the start of raw. size is 0 if there is none that is whole.
func nextBatch(raw []byte) (batch kmsg.RecordBatch, size int) {
	const lengthEnd = 12 // after the base offset and the length itself
	if len(raw) < lengthEnd {
		return batch, 0
	}
	size = lengthEnd + int(binary.BigEndian.Uint32(raw[8:lengthEnd]))
	if size > len(raw) || batch.ReadFrom(raw[:size]) != nil {
		return batch, 0
	}
	return batch, size
}

// partitionDir is where kfake keeps a partition's log.
func partitionDir(dataDir, topic string, partition int32) string {
	return filepath.Join(dataDir, "partitions", fmt.Sprintf("%s-%d", url.PathEscape(topic), partition))
}

func parsePartitionDir(name string) (topic string, partition int32, err error) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return "", 0, fmt.Errorf("%q is no partition's directory", name)
	}
	topic, err = url.PathUnescape(name[:i])
	if err != nil {
		return "", 0, fmt.Errorf("%q is no partition's directory: %w", name, err)
	}
	n, err := strconv.ParseInt(name[i+1:], 10, 32)
	if err != nil {
		return "", 0, fmt.Errorf("%q is no partition's directory: %w", name, err)
	}
	return topic, int32(n), nil
}
