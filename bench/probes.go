package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	// lookPause lies between two looks at the counters: more often would measure the looking.
	lookPause = 20 * time.Millisecond
	// dashboardPause lies between two queries of a dashboard.
	dashboardPause = time.Second
)

// probes measure freshness: events of accounts of their own are sent one by one, and the view counters is asked over and
// over until it counts them. The clock runs from Kafka's acknowledgement to the moment of asking the first query that has the event. Every
// second a dashboard asks usage_minute, which must count at least what counters had before it was asked.
type probes struct {
	topic  string
	client *kgo.Client
	view   *sql.DB // with a reader's rights
	began  time.Time

	mu    sync.Mutex
	acked [probeAccounts][]time.Time // of an account, in order
	seen  [probeAccounts]int         // how many of them the view has counted
	took  []probeResult
	looks []float64 // seconds that each query of usage_minute took
}

type probeResult struct {
	acked   time.Time
	visible float64 // seconds
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

// look asks until everything that was sent is seen.
func (p *probes) look(ctx context.Context, sent <-chan struct{}, patience time.Duration) error {
	counters := p.query(`SELECT account_id, toUInt64(sum(n)) FROM (SELECT account_id, max(value) AS n FROM counters
		WHERE tier = 'minute' AND metric = 'events' AND feature = '' AND %s GROUP BY account_id, window_start, source) GROUP BY account_id`)
	dashboard := p.query(`SELECT account_id, toUInt64(sum(events)) FROM usage_minute WHERE %s GROUP BY account_id`)
	group, inner := errgroup.WithContext(ctx)
	inner, stop := context.WithCancel(inner)
	group.Go(func() error {
		defer stop()
		return p.lookAtCounters(inner, counters, sent, patience)
	})
	group.Go(func() error { return p.lookAtDashboard(inner, dashboard) })
	return group.Wait()
}

// query fills in which accounts are asked for, of the minutes since the probes began.
func (p *probes) query(format string) string {
	names := make([]string, probeAccounts)
	for i := range names {
		names[i] = fmt.Sprintf("'probe-%d'", i)
	}
	return fmt.Sprintf(format, fmt.Sprintf("account_id IN (%s) AND window_start >= toDateTime(%d, 'UTC')", strings.Join(names, ", "), p.began.Unix()/60*60))
}

func (p *probes) lookAtCounters(ctx context.Context, query string, sent <-chan struct{}, patience time.Duration) error {
	var over <-chan time.Time
	for {
		asked := time.Now()
		counts, err := p.ask(ctx, query)
		if err != nil {
			return fmt.Errorf("look at counters: %w", err)
		}
		missing := p.visible(counts, asked)
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
			return fmt.Errorf("%d probes are not counted %s after the last was sent", missing, patience)
		case <-time.After(lookPause):
		}
	}
}

// visible takes note of what was counted by a query that was asked at a time, and returns how many probes are still missing.
func (p *probes) visible(counts *[probeAccounts]int, asked time.Time) (missing int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.acked {
		// One that was sent but whose acknowledgement has not arrived yet may be counted already.
		for ; p.seen[i] < min(counts[i], len(p.acked[i])); p.seen[i]++ {
			acked := p.acked[i][p.seen[i]]
			p.took = append(p.took, probeResult{acked, max(asked.Sub(acked).Seconds(), 0)})
		}
		missing += len(p.acked[i]) - p.seen[i]
	}
	return missing
}

// lookAtDashboard asks until ctx ends.
func (p *probes) lookAtDashboard(ctx context.Context, query string) error {
	for {
		p.mu.Lock()
		seen := p.seen
		p.mu.Unlock()
		asked := time.Now()
		counts, err := p.ask(ctx, query)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to end
		}
		if err != nil {
			return fmt.Errorf("look at usage_minute: %w", err)
		}
		p.looks = append(p.looks, time.Since(asked).Seconds())
		for i := range seen {
			if counts[i] < seen[i] {
				return fmt.Errorf("usage_minute counts %d events of probe-%d, of which counters had %d before", counts[i], i, seen[i])
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(dashboardPause):
		}
	}
}

// ask returns how many events a query counts of each account.
func (p *probes) ask(ctx context.Context, query string) (*[probeAccounts]int, error) {
	rows, err := p.view.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var counts [probeAccounts]int
	for rows.Next() {
		var account string
		var events uint64
		if err := rows.Scan(&account, &events); err != nil {
			return nil, err
		}
		i, err := strconv.Atoi(strings.TrimPrefix(account, "probe-"))
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", account, err)
		}
		counts[i] = int(events)
	}
	return &counts, rows.Err()
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

// percentiles are of the probes that Kafka took between two times: seconds until they were visible.
func (p *probes) percentiles(from, to time.Time, at ...float64) ([]float64, error) {
	var visible []float64
	for _, r := range p.took {
		if !r.acked.Before(from) && r.acked.Before(to) {
			visible = append(visible, r.visible)
		}
	}
	if len(visible) < 100 {
		return nil, errors.New("fewer than 100 probes: measure longer")
	}
	return quantiles(visible, at), nil
}

func quantiles(of, at []float64) []float64 {
	slices.Sort(of)
	out := make([]float64, len(at))
	for i, q := range at {
		out[i] = of[min(int(q*float64(len(of))), len(of)-1)]
	}
	return out
}
