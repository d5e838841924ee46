package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/pipeline/source"
	"tidemark/pipeline/unpack"
	"tidemark/pipeline/worker"
)

// damagedAfter is how often in a row a batch must be fetched and found broken before its partition stops: once may be the
// network.
const damagedAfter = 3

// unreadable takes care of what cannot be fetched. It is not safe for concurrent use.
type unreadable struct {
	*Pipeline
	broken map[partition]int // how often in a row what was fetched was broken
	seeker source.Seeker
}

// failed takes note of a partition's error. Most the client sees to by itself, with the group and with every partition that
// can be fetched again; one that it cannot is returned.
func (u *unreadable) failed(topic string, n int32, err error) (fatal error) {
	if errors.Is(err, unpack.ErrFull) {
		return nil // it is fetched again, when what has been unpacked is on its way
	}
	u.cfg.Log.Error("fetch failed", zap.String("topic", topic), zap.Int32("partition", n), zap.Error(err))
	w := u.worker(topic, n)
	switch tooLarge := (*kgo.ErrDecompressTooLarge)(nil); {
	case errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("another process uses the instance id %s: give each its own kafka.instance_id: %w", u.cfg.InstanceID, err)
	case errors.Is(err, kerr.UnknownTopicID): // the client, which insists on the log that it knows, says so for ever
		return fmt.Errorf("the topic %s was deleted, or created anew, while it was read: start this process again, it reads the new log from its start: %w", topic, err)
	case w == nil:
	case errors.Is(err, kerr.OffsetOutOfRange):
		w.Fail(&worker.StopError{Reason: fmt.Sprintf("%s/%d: records were deleted before they were read: restart this process to see which, and what to do",
			topic, n)})
	case errors.As(err, &tooLarge):
		w.Skip(tooLarge)
		u.seeker.Seek(u.client, u.positions())
	case damaged(err):
		at := partition{topic, n}
		if u.broken[at]++; u.broken[at] >= damagedAfter {
			w.Fail(&worker.StopError{Reason: fmt.Sprintf("%s/%d: what comes next in the log cannot be read, which brokers see to when it is produced: %v. "+
				"Restore it from a replica; or accept the loss by deleting the records up to behind it (kafka-delete-records) and setting the group's "+
				"offset there (kafka-consumer-groups --reset-offsets --to-earliest, with the pipelines stopped for kafka.session_timeout)", topic, n, err)})
		}
	}
	return nil
}

// positions returns from where each partition is to be fetched.
func (u *unreadable) positions() map[string]map[int32]int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := map[string]map[int32]int64{}
	for k, w := range u.workers {
		if next := w.Next(); next >= 0 {
			if at[k.topic] == nil {
				at[k.topic] = map[int32]int64{}
			}
			at[k.topic][k.n] = next
		}
	}
	return at
}

// read takes note that a partition's records could be read.
func (u *unreadable) read(topic string, n int32) { delete(u.broken, partition{topic, n}) }

// damaged reports whether an error is about the bytes of the log, and not Kafka's, the network's or this client's.
func damaged(err error) bool {
	var kafka *kerr.Error
	var network net.Error
	var lost *kgo.ErrDataLoss
	var session *kgo.ErrGroupSession
	for _, other := range []error{kgo.ErrClientClosed, context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrClosedPipe, net.ErrClosed} {
		if errors.Is(err, other) {
			return false
		}
	}
	return !errors.As(err, &kafka) && !errors.As(err, &network) && !errors.As(err, &lost) && !errors.As(err, &session)
}
