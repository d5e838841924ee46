// Package devkafka runs the embedded Kafka broker that development, the demo and fast tests use.
//
// The broker is franz-go's kfake: the real wire protocol (consumer groups with static membership, transactions, topic ids,
// configs) in this process, without replication, quotas or authentication. What survives, with a data directory:
//
//   - Records, committed offsets with their metadata, topics with their ids, configs and partition counts, and producer ids are
//     written and fsynced before the request is answered: they survive SIGKILL and power loss (see Options.NoSync).
//   - Finished transactions stay committed or aborted; those open at a SIGKILL are aborted by the next Start. Close keeps them
//     open, as it keeps the members of groups; after SIGKILL members rejoin.
//   - Sequence numbers of idempotent producers are kept by Close only. A produce request that a SIGKILL left without an answer
//     may have been applied, and its repetition is then applied once more: at least once, not exactly once.
//   - A record deletion (kadm.DeleteRecords) inside a segment is kept by Close only; after SIGKILL some records are back.
//
// Disk use: topics that delete keep retention.ms (7 days unless set) and retention.bytes (1 GiB a partition unless set), in
// whole segments (16 MiB unless set) and by the time of writing. Compacted topics are not compacted, because kfake's way of doing
// it can lose a log to a SIGKILL: they keep every record and grow. Memory-only brokers keep everything.
package devkafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"
)

// Options say where and how the broker runs. The zero value is one broker in memory on a port chosen by the kernel.
type Options struct {
	// DataDir keeps all state; it is created if missing. Empty means memory only.
	DataDir string
	// Port is the first broker's TCP port on 127.0.0.1, later brokers take the following ones; 0 lets the kernel choose each.
	Port int
	// Brokers is how many brokers listen; 0 means 1. They share one state, so more brokers add no safety.
	Brokers int
	// NoSync leaves flushing to the operating system, as Apache Kafka does: several times faster, acknowledged records
	// survive SIGKILL but not power loss.
	NoSync bool
	// Logger gets the broker's warnings and errors; nil means no logs.
	Logger *zap.Logger
}

// Broker is a running embedded Kafka.
type Broker struct {
	cluster   *kfake.Cluster
	addrs     []string
	lock      *dirLock
	log       *logAdapter
	retention *retention // nil for a broker in memory
}

// Start opens the data directory, continues with whatever it holds, and listens. The caller ends the broker with Close.
func Start(ctx context.Context, opts Options) (*Broker, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start embedded kafka: %w", err)
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	opts.Brokers = max(opts.Brokers, 1)
	b := &Broker{log: &logAdapter{log: opts.Logger.Named("kfake")}}
	if opts.DataDir != "" {
		if err := b.openDir(ctx, opts); err != nil {
			return nil, err
		}
	}
	cluster, err := kfake.NewCluster(clusterOptions(opts, b.log)...)
	if err != nil {
		return nil, errors.Join(explainStart(err, opts), b.leaveDir())
	}
	b.cluster = cluster
	b.addrs = cluster.ListenAddrs()
	if opts.DataDir != "" {
		if b.retention, err = startRetention(ctx, opts.DataDir, b.addrs, retentionEvery, opts.Logger); err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	return b, nil
}

// openDir takes the data directory, and repairs it if its last broker did not close.
func (b *Broker) openDir(ctx context.Context, opts Options) error {
	if err := os.MkdirAll(opts.DataDir, 0o755); err != nil {
		return fmt.Errorf("create embedded kafka's data directory: %w", err)
	}
	lock, crashed, err := lockDir(opts.DataDir)
	if err != nil {
		return err
	}
	// Marked before the repair, so that a repair which is cut short is done again.
	if err = lock.mark(stateRunning); err == nil && crashed {
		err = recoverDir(ctx, opts, b.log)
	}
	if err != nil {
		lock.release()
		return fmt.Errorf("open embedded kafka's data directory %s: %w", opts.DataDir, err)
	}
	b.lock = lock
	return nil
}

// leaveDir gives the data directory back. It stays marked as running if its state could not be written.
func (b *Broker) leaveDir() error {
	if b.lock == nil {
		return nil
	}
	err := b.log.failure()
	if err == nil {
		err = b.lock.mark(stateClosed)
	}
	b.lock.release()
	b.lock = nil
	return err
}

func clusterOptions(opts Options, log kfake.Logger) []kfake.Opt {
	ports := make([]int, opts.Brokers)
	if opts.Port != 0 {
		for i := range ports {
			ports[i] = opts.Port + i
		}
	}
	out := []kfake.Opt{
		kfake.ClusterID("tidemark-dev"),
		kfake.Ports(ports...),
		kfake.WithLogger(log),
		kfake.BrokerConfigs(brokerConfigs),
	}
	if opts.DataDir != "" {
		out = append(out, kfake.DataDir(opts.DataDir))
		if !opts.NoSync {
			out = append(out, kfake.SyncWrites())
		}
	}
	return out
}

// A partition whose topic sets no retention.bytes keeps about defaultRetentionBytes, and for 7 days.
const (
	defaultRetentionBytes = 1 << 30
	// segmentBytes is the grain of deletion.
	segmentBytes = 16 << 20
)

// brokerConfigs differ from kfake's defaults where a demo that is left running, or left alone, would suffer.
var brokerConfigs = map[string]string{
	"default.replication.factor": "1",
	// A development data directory may rest for months; its committed offsets must still be there afterwards.
	"offsets.retention.minutes": strconv.Itoa(10 * 365 * 24 * 60),
	// Never: type retention says why and does the work instead.
	"log.cleaner.backoff.ms": strconv.Itoa(10 * 365 * 24 * 60 * 60 * 1000),
	"log.retention.bytes":    strconv.Itoa(defaultRetentionBytes),
	"log.segment.bytes":      strconv.Itoa(segmentBytes),
}

func explainStart(err error, opts Options) error {
	var op *net.OpError
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && errors.As(err, &op):
		return fmt.Errorf("start embedded kafka: %s is already in use; stop the process that listens there, "+
			"or choose another port (0 lets the system choose): %w", op.Addr, err)
	case errors.As(err, &op):
		return fmt.Errorf("start embedded kafka: listen on port %d: %w", opts.Port, err)
	default:
		return fmt.Errorf("start embedded kafka from %s: %w", opts.DataDir, err)
	}
}

// Addrs returns every broker's host:port, for use as bootstrap addresses.
func (b *Broker) Addrs() []string { return append([]string(nil), b.addrs...) }

// Err returns the first failure to write to the data directory, such as a full disk; nil while all is well. From then on what
// the broker acknowledges may be lost with the process.
func (b *Broker) Err() error { return b.log.failure() }

// Close stops the broker and writes what it keeps until then in memory. It returns the first failure to write state. Closing
// twice is harmless.
func (b *Broker) Close() error {
	if b.retention != nil {
		b.retention.stop()
	}
	b.cluster.Close()
	return b.leaveDir()
}
