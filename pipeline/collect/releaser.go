package collect

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// releaser runs the partitions of the parked topic that the consumer group
// gives to this collector. The group only spreads the work: that two collectors
// may believe to own a partition for a while does no harm, see partition.
type releaser struct {
	config  Config
	known   func(user string) (string, bool)
	metrics *metrics
	log     *zap.Logger

	mu      sync.Mutex
	running map[int32]*runningPartition
}

type runningPartition struct {
	*partition
	stop context.CancelFunc
	done chan struct{}
}

func newReleaser(c Config, known func(string) (string, bool), m *metrics, log *zap.Logger) *releaser {
	return &releaser{config: c, known: known, metrics: m, log: log, running: map[int32]*runningPartition{}}
}

// run takes part in the group until ctx ends.
func (r *releaser) run(ctx context.Context) error {
	options, err := r.config.clientOptions()
	if err != nil {
		return err
	}
	options = append(options,
		kgo.ConsumerGroup(r.config.Group),
		kgo.ConsumeTopics(r.config.Topics.Parked),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(r.config.SessionTimeout),
		kgo.HeartbeatInterval(r.config.SessionTimeout/5),
		// How long the others wait for one that died in the middle of a
		// rebalance. One that is only slow loses its partitions, not an event.
		kgo.RebalanceTimeout(r.config.SessionTimeout),
		kgo.DisableAutoCommit(), // the log itself says what is outstanding
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) {
			r.start(ctx, assigned[r.config.Topics.Parked])
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, revoked map[string][]int32) {
			r.stop(revoked[r.config.Topics.Parked])
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			r.stop(lost[r.config.Topics.Parked])
		}),
	)
	if r.config.Instance != "" {
		options = append(options, kgo.InstanceID(r.config.Instance))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	// The partitions read for themselves; this client is only a member.
	client.PauseFetchTopics(r.config.Topics.Parked)
	<-ctx.Done()
	r.stop(r.partitions())
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	// Without the goodbye the others take over after the session timeout.
	if err := client.LeaveGroupContext(leaving); err != nil {
		r.log.Warn("leave the group of collectors", zap.Error(err))
	}
	client.Close()
	return nil
}

func (r *releaser) start(ctx context.Context, partitions []int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, number := range partitions {
		if r.running[number] != nil || ctx.Err() != nil {
			continue
		}
		ctx, stop := context.WithCancel(ctx)
		p := &runningPartition{partition: newPartition(number, r.config, r.known, r.metrics, r.log), stop: stop, done: make(chan struct{})}
		r.running[number] = p
		go func() {
			defer close(p.done)
			p.run(ctx)
		}()
	}
}

// stop ends the partitions and returns when they have finished their
// transactions.
func (r *releaser) stop(partitions []int32) {
	var ending []*runningPartition
	r.mu.Lock()
	for _, number := range partitions {
		if p := r.running[number]; p != nil {
			p.stop()
			ending = append(ending, p)
			delete(r.running, number)
		}
	}
	r.mu.Unlock()
	for _, p := range ending {
		<-p.done
	}
}

// partitions returns the numbers of the partitions that run here.
func (r *releaser) partitions() []int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	numbers := make([]int32, 0, len(r.running))
	for number := range r.running {
		numbers = append(numbers, number)
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	return numbers
}

// learned tells the partitions that the account of user is known.
func (r *releaser) learned(user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.running {
		p.learned(user)
	}
}

// parkedReport says which events wait, without their content.
type parkedReport struct {
	Partitions []int32      `json:"partitions"` // of the parked topic, that this collector releases
	Count      int          `json:"count"`
	Oldest     *time.Time   `json:"oldest,omitempty"`
	UserCount  int          `json:"user_count"`
	Users      []parkedUser `json:"users"` // those who wait longest
}

type parkedUser struct {
	User   string         `json:"user"` // u:userId or a:anonymousId
	Events int            `json:"events"`
	Types  map[string]int `json:"types"`
	Oldest time.Time      `json:"oldest"`
}

// report sums up the waiting events, with at most sample users.
func (r *releaser) report(sample int) parkedReport {
	report := parkedReport{Partitions: r.partitions(), Users: []parkedUser{}}
	byUser := map[string]*parkedUser{}
	r.eachWaiting(func(event *parkedEvent) {
		report.Count++
		user := byUser[event.users[0]]
		if user == nil {
			user = &parkedUser{User: event.users[0], Types: map[string]int{}, Oldest: event.received}
			byUser[user.User] = user
		}
		user.Events++
		user.Types[event.kind]++
		if event.received.Before(user.Oldest) {
			user.Oldest = event.received
		}
	})
	report.UserCount = len(byUser)
	for _, user := range byUser {
		report.Users = append(report.Users, *user)
	}
	sort.Slice(report.Users, func(i, j int) bool {
		a, b := report.Users[i], report.Users[j]
		if !a.Oldest.Equal(b.Oldest) {
			return a.Oldest.Before(b.Oldest)
		}
		return a.User < b.User
	})
	if len(report.Users) > 0 {
		report.Oldest = &report.Users[0].Oldest
	}
	report.Users = report.Users[:min(sample, len(report.Users))]
	return report
}

func (r *releaser) eachWaiting(visit func(*parkedEvent)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.running {
		p.mu.Lock()
		for _, event := range p.room.events {
			visit(event)
		}
		p.mu.Unlock()
	}
}

// waiting returns how many events wait here and when the oldest was received.
func (r *releaser) waiting() (count int, oldest time.Time) {
	r.eachWaiting(func(event *parkedEvent) {
		count++
		if oldest.IsZero() || event.received.Before(oldest) {
			oldest = event.received
		}
	})
	return count, oldest
}
