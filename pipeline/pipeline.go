// Package pipeline runs the way from log to rollup: a member of a consumer group that gives each partition it is assigned
// to a worker, and takes it away again.
//
// Read it in the order the data flows: source (which log), decode, dedup, enrich, rollup, worker (fold, flush, commit).
package pipeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"tidemark/pipeline/decode"
	"tidemark/pipeline/forgotten"
	"tidemark/pipeline/metrics"
	"tidemark/pipeline/source"
	"tidemark/pipeline/unpack"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
)

// Topic is a topic to consume, and how.
type Topic struct {
	Name     string
	Content  worker.Content
	Disorder time.Duration // how far its events may be out of order before a window counts as complete
}

// Config configures a member of the pipeline's group.
type Config struct {
	Kafka          []kgo.Opt // brokers, TLS, SASL
	Group          string
	InstanceID     string // of static membership; empty = dynamic
	SessionTimeout time.Duration
	Topics         []Topic
	DeadLetters    string // topic
	// LettersFrom, if set, says from which offset of a partition on dead letters go to the topic: a rebuild's earlier ones
	// are there already.
	LettersFrom func(topic string, partition int32) int64

	Program       *schemas.Program
	Limits        decode.Limits
	Retention     [3]time.Duration
	DedupRecords  int64
	MaxFeatures   int // of an account in a day
	Forgotten     *forgotten.List
	MaxWindows    int // in memory, over all sources, about
	FlushInterval time.Duration
	FlushRows     int
	QueueBytes    int64 // of records that wait, over all sources

	Store   worker.Store
	Log     *zap.Logger
	Metrics *metrics.Pipeline
	Traces  trace.TracerProvider // of flushes; nil: none
}

// TopicNames returns the names of the topics, in their order.
func (c *Config) TopicNames() []string {
	names := make([]string, len(c.Topics))
	for i, t := range c.Topics {
		names[i] = t.Name
	}
	return names
}

const (
	// drainTimeout bounds the last flush of a revoked partition; it must stay well below Kafka's rebalance timeout.
	drainTimeout = 20 * time.Second
	// rebalanceTimeout is how long a member may take to give partitions away.
	rebalanceTimeout = 60 * time.Second
	// metadataAge is how long an added partition may go unnoticed; the client's default is five minutes.
	metadataAge = 10 * time.Second
	// fetchBytes is how much one fetch may bring of a partition, compressed: enough to work on until the next one is there, when
	// all cores are busy.
	fetchBytes = 4 << 20
	// pollRecords bounds one poll, so that rebalances are never held up for long.
	pollRecords = 50_000
)

// Pipeline is a member of the group.
type Pipeline struct {
	cfg      Config
	client   *kgo.Client
	broker   *worker.Broker
	flusher  *worker.Flusher
	shared   worker.Config
	run      context.Context //nolint:containedctx // what the client's callbacks start must outlive the callback
	stop     context.CancelFunc
	cut      context.CancelFunc // fails what the client waits for
	unpacker *unpack.Unpacker
	made     chan struct{} // closed once New is done: the client may call back before

	mu      sync.Mutex
	workers map[partition]*worker.Worker
	absent  []string // topics that Kafka did not have when it was last asked
}

type partition struct {
	topic string
	n     int32
}

// New connects to Kafka and begins to join the group; Run must follow.
func New(cfg Config) (*Pipeline, error) {
	p := &Pipeline{cfg: cfg, workers: map[partition]*worker.Worker{}, made: make(chan struct{}), unpacker: unpack.New(cfg.QueueBytes)}
	// Workers and the flusher outlive Run's context, for the last flush.
	p.run, p.stop = context.WithCancel(context.Background())
	var life context.Context
	life, p.cut = context.WithCancel(context.Background())
	opts := append(slices.Clone(cfg.Kafka),
		kgo.WithContext(life),
		kgo.ConsumerGroup(cfg.Group),
		kgo.ConsumeTopics(cfg.TopicNames()...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(cfg.SessionTimeout),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), // so that no batch reaches a worker made for a later assignment
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),                    // so that positions reach the log's end, and lag means lag
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // never jump
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchMaxPartitionBytes(fetchBytes),
		kgo.WithDecompressor(p.unpacker),
		kgo.MetadataMaxAge(metadataAge),
		kgo.OnPartitionsAssigned(p.assigned),
		kgo.AdjustFetchOffsetsFn(p.adjust),
		kgo.OnPartitionsRevoked(p.revoked),
		kgo.OnPartitionsLost(p.lost),
		kgo.RequiredAcks(kgo.AllISRAcks()),
	)
	if cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(cfg.InstanceID))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		p.stop()
		p.cut()
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	p.client = client
	p.broker = &worker.Broker{Client: client, Admin: kadm.NewClient(client), Group: cfg.Group, Read: cfg.Kafka}
	backlog := worker.NewBacklog(cfg.FlushRows)
	p.flusher = worker.NewFlusher(cfg.Store, client, cfg.FlushInterval, backlog, cfg.Log, cfg.Metrics, cfg.Traces)
	p.shared = worker.Config{
		Store: cfg.Store, Flusher: p.flusher, Room: worker.NewRoom(cfg.QueueBytes), Broker: p.broker, Log: cfg.Log, Metrics: cfg.Metrics,
		DeadLetters: cfg.DeadLetters, LettersFrom: cfg.LettersFrom, FlushInterval: cfg.FlushInterval, Backlog: backlog,
		MaxWindows: p.share, Links: cfg.Traces != nil,
		Pause:  func(topic string, n int32) { client.PauseFetchPartitions(map[string][]int32{topic: {n}}) },
		Resume: func(topic string, n int32) { client.ResumeFetchPartitions(map[string][]int32{topic: {n}}) },
	}
	close(p.made)
	return p, nil
}

// Run consumes until ctx ends, then flushes, commits and leaves. With static membership the group waits for this
// instance to come back, for the session timeout, before it gives its partitions to others.
func (p *Pipeline) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { p.flusher.Run(p.run) })
	defer wg.Wait()
	defer p.stop()
	err := p.poll(ctx)
	p.close()
	return err
}

func (p *Pipeline) poll(ctx context.Context) error {
	unreadable := unreadable{Pipeline: p, broken: map[partition]int{}}
	for {
		fetches := p.client.PollRecords(ctx, pollRecords)
		p.unpacker.Reset() // from here on the records are in the workers' room
		if ctx.Err() != nil || fetches.IsClientClosed() {
			p.client.AllowRebalance()
			return nil
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if w := p.worker(f.Topic, f.Partition); w != nil && len(f.Records) > 0 {
				unreadable.read(f.Topic, f.Partition)
				w.Queue(f.Records, f.HighWatermark)
			}
		})
		var fatal error
		fetches.EachError(func(topic string, n int32, err error) { // after the records, so that it is known where each partition stands
			if err := unreadable.failed(topic, n, err); err != nil {
				fatal = err
			}
		})
		p.client.AllowRebalance()
		p.shared.Room.Wait(ctx)
		if fatal != nil {
			return fmt.Errorf("consume as group %s: %w", p.cfg.Group, fatal)
		}
	}
}

// close drains the workers and leaves the group.
func (p *Pipeline) close() {
	p.mu.Lock()
	all := map[string][]int32{}
	for k := range p.workers {
		all[k.topic] = append(all[k.topic], k.n)
	}
	p.mu.Unlock()
	p.drain(all)
	source.Leave(p.client.CloseAllowingRebalance, p.cut) // after this no callback runs
	p.cut()
}

func (p *Pipeline) worker(topic string, n int32) *worker.Worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers[partition{topic, n}]
}

// assigned makes workers. They start in adjust, once the client knows its offsets; until they have recovered, nothing is
// fetched for them.
func (p *Pipeline) assigned(_ context.Context, client *kgo.Client, added map[string][]int32) {
	<-p.made
	client.PauseFetchPartitions(added)
	p.lost(nil, client, added) //nolint:staticcheck // no context is needed: workers of an assignment whose session ended early
	p.mu.Lock()
	defer p.mu.Unlock()
	for topic, partitions := range added {
		for _, n := range partitions {
			p.workers[partition{topic, n}] = worker.New(p.shared, topic, n, p.spec(topic))
		}
	}
}

// share returns how many windows a source may keep in memory.
func (p *Pipeline) share() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cfg.MaxWindows / max(len(p.workers), 1)
}

func (p *Pipeline) spec(topic string) worker.Spec {
	spec := worker.Spec{
		Program: p.cfg.Program, Limits: p.cfg.Limits, Retention: p.cfg.Retention, DedupRecords: p.cfg.DedupRecords,
		MaxFeatures: p.cfg.MaxFeatures, Forgotten: p.cfg.Forgotten,
	}
	for _, t := range p.cfg.Topics {
		if t.Name == topic {
			spec.Content, spec.Disorder = t.Content, t.Disorder
		}
	}
	return spec
}

// adjust starts the workers of what has been assigned, and has the client fetch from where they start. The client's own reading of the
// commits is not used: a commit that moves back between two readings would leave a gap.
func (p *Pipeline) adjust(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	starts := map[partition]worker.Start{}
	for topic, partitions := range offsets {
		for n := range partitions {
			start, err := p.broker.Locate(ctx, topic, n)
			if err != nil {
				return nil, fmt.Errorf("find the start of %s/%d: %w", topic, n, err)
			}
			partitions[n], starts[partition{topic, n}] = start.Fetch(), start
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, start := range starts {
		if w := p.workers[k]; w != nil {
			w.Start(p.run, start)
		}
	}
	return offsets, nil
}

func (p *Pipeline) revoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) { p.drain(gone) }

// lost gives up partitions that are no longer ours: somebody else may be folding them already.
func (p *Pipeline) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	for _, w := range p.remove(gone) {
		w.Abandon()
	}
	p.forget(gone)
}

func (p *Pipeline) drain(gone map[string][]int32) {
	ctx, cancel := context.WithTimeout(p.run, drainTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, w := range p.remove(gone) {
		wg.Go(func() { w.Drain(ctx) })
	}
	wg.Wait()
	p.forget(gone)
}

// forget removes the metrics of sources whose workers have ended: they are the next owner's.
func (p *Pipeline) forget(gone map[string][]int32) {
	for topic, partitions := range gone {
		for _, n := range partitions {
			p.cfg.Metrics.Forget(topic, n)
		}
	}
}

func (p *Pipeline) remove(gone map[string][]int32) []*worker.Worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	var removed []*worker.Worker
	for topic, partitions := range gone {
		for _, n := range partitions {
			if w := p.workers[partition{topic, n}]; w != nil {
				removed = append(removed, w)
			}
			delete(p.workers, partition{topic, n})
		}
	}
	return removed
}
