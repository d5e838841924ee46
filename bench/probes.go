package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tidemark/internal/devclickhouse"
)

const (
	// probeAccounts spread the probes over the partitions.
	probeAccounts = 16
	probeEvery    = 50 * time.Millisecond
	// lookPause lies between two looks at the view: more often would measure the looking.
	lookPause = 20 * time.Millisecond
)

// probes measure freshness: events of accounts of their own are sent one by one, and a dashboard's query is asked over and
// over until it counts them. The clock runs from Kafka's acknowledgement to the moment of asking the first query that has the event, and to its
// answer.
type probes struct {
	topic  string
	client *kgo.Client
	view   *sql.DB // with a reader's rights
	began  time.Time

	mu    sync.Mutex
	acked [probeAccounts][]time.Time // of an account, in order
	seen  [probeAccounts]int         // how many of them the view has counted
	took  []probeResult
	looks []float64 // seconds each
}

type probeResult struct {
	acked             time.Time
	visible, answered float64 // seconds
}

func (b *bench) newProbes(topic string, db *database) (*probes, error) {
	options, err := driver.ParseDSN(b.services.server.DSN(devclickhouse.Reader))
	if err != nil {
		return nil, err
	}
	options.Auth.Database = db.name
	client, err := kgo.NewClient(kgo.SeedBrokers(b.services.brokers...), kgo.ProducerLinger(0))
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return &probes{topic: topic, client: client, view: driver.OpenDB(options), began: time.Now()}, nil
}

func (p *probes) close() error {
	p.client.Close()
	return p.view.Close()
}

// run sends until ctx ends, and looks until all that was sent is seen or patience is over.
func (p *probes) run(ctx context.Context, patience time.Duration) error {
	group, inner := errgroup.WithContext(context.WithoutCancel(ctx))
	sent := make(chan struct{})
	group.Go(func() error {
		defer close(sent)
		return p.send(ctx)
	})
	group.Go(func() error { return p.look(inner, sent, patience) })
	return group.Wait()
}

func (p *probes) send(ctx context.Context) error {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		account := n % probeAccounts
		now := time.Now().UTC().Format(stamp)
		value := fmt.Appendf(nil, `{"type":"track","event":"Feature Used","messageId":"probe-%d-%d","userId":"prober","context":{"groupId":"probe-%d"},`+
			`"properties":{"feature":"probing"},"originalTimestamp":%q,"sentAt":%[4]q,"receivedAt":%[4]q,"timestamp":%[4]q}`, p.began.UnixNano(), n, account, now)
		record := &kgo.Record{Topic: p.topic, Key: fmt.Appendf(nil, "probe-%d", account), Value: value}
		if err := p.client.ProduceSync(context.WithoutCancel(ctx), record).FirstErr(); err != nil {
			return fmt.Errorf("send a probe: %w", err)
		}
		p.mu.Lock()
		p.acked[account] = append(p.acked[account], time.Now())
		p.mu.Unlock()
	}
}

func (p *probes) look(ctx context.Context, sent <-chan struct{}, patience time.Duration) error {
	names := make([]string, probeAccounts)
	for i := range names {
		names[i] = fmt.Sprintf("'probe-%d'", i)
	}
	// A dashboard's question, of the minutes since the probes began.
	query := fmt.Sprintf(`SELECT account_id, toUInt64(sum(events)) FROM usage_minute
		WHERE account_id IN (%s) AND window_start >= toDateTime(%d, 'UTC') GROUP BY account_id`,
		strings.Join(names, ", "), p.began.Unix()/60*60)
	var over <-chan time.Time
	for {
		asked := time.Now()
		if err := p.ask(ctx, query, asked); err != nil {
			return fmt.Errorf("look at usage_minute: %w", err)
		}
		p.mu.Lock()
		p.looks = append(p.looks, time.Since(asked).Seconds())
		missing := 0
		for i := range p.acked {
			missing += len(p.acked[i]) - p.seen[i]
		}
		p.mu.Unlock()
		select {
		case <-sent:
			if missing == 0 {
				return nil
			}
			if over == nil {
				over = time.After(patience)
			}
		default:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return fmt.Errorf("%d probes are not in the view %s after the last was sent", missing, patience)
		case <-time.After(lookPause):
		}
	}
}

func (p *probes) ask(ctx context.Context, query string, asked time.Time) error {
	rows, err := p.view.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	counts := map[string]uint64{}
	for rows.Next() {
		var account string
		var events uint64
		if err := rows.Scan(&account, &events); err != nil {
			return err
		}
		counts[account] = events
	}
	if err := rows.Err(); err != nil {
		return err
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.acked {
		count := int(counts[fmt.Sprintf("probe-%d", i)])
		// One that was sent but whose acknowledgement has not arrived yet may be in the view already.
		for ; p.seen[i] < min(count, len(p.acked[i])); p.seen[i]++ {
			acked := p.acked[i][p.seen[i]]
			p.took = append(p.took, probeResult{acked, max(asked.Sub(acked).Seconds(), 0), max(now.Sub(acked).Seconds(), 0)})
		}
	}
	return nil
}

// count is how many probes Kafka took.
func (p *probes) count() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, acked := range p.acked {
		n += len(acked)
	}
	return n
}

// percentiles are of the probes that Kafka took between two times: how long until they were visible, and until the answer.
func (p *probes) percentiles(from, to time.Time, at ...float64) (visible, answered []float64, err error) {
	for _, r := range p.took {
		if !r.acked.Before(from) && r.acked.Before(to) {
			visible, answered = append(visible, r.visible), append(answered, r.answered)
		}
	}
	if len(visible) < 100 {
		return nil, nil, errors.New("fewer than 100 probes: measure longer")
	}
	return quantiles(visible, at), quantiles(answered, at), nil
}

func quantiles(of, at []float64) []float64 {
	slices.Sort(of)
	out := make([]float64, len(at))
	for i, q := range at {
		out[i] = of[min(int(q*float64(len(of))), len(of)-1)]
	}
	return out
}
