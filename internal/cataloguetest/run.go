package cataloguetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	conn "github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devkafka"
	"tidemark/pipeline"
	"tidemark/pipeline/decode"
	"tidemark/pipeline/metrics"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
)

// The topics of a test, which are those that the views are made for by default.
const (
	Telemetry = "telemetry"
	Tickets   = "tickets"
	Accounts  = "accounts"
	Signals   = "signals"

	deadLetters = "dead-letters"
)

// testTimeout bounds one test: to run it takes about a second.
const testTimeout = 2 * time.Minute

// Options are what running tests takes.
type Options struct {
	Catalogue *schemas.Catalogue
	Now       time.Time
	// Pipeline is the configuration of the pipeline but for its brokers, topics' names, program, store and metrics.
	Pipeline pipeline.Config
	Engine   devclickhouse.Options // Dir may be empty: a temporary one
}

// Pipeline is a configuration of the pipeline for records of any age, for who has none.
func Pipeline() pipeline.Config {
	const hour = time.Hour
	return pipeline.Config{
		SessionTimeout: 10 * time.Second,
		Topics: []pipeline.Topic{
			{Name: Telemetry, Content: worker.Telemetry, Disorder: time.Minute}, {Name: Tickets, Content: worker.Tickets},
			{Name: Accounts, Content: worker.Accounts}, {Name: Signals, Content: worker.Signals},
		},
		Limits:       decode.Limits{MaxFuture: 10 * time.Minute, MaxAge: 43800 * hour},
		Retention:    [3]time.Duration{336 * hour, 9600 * hour, 43800 * hour},
		DedupRecords: 1000, MaxFeatures: 1000, MaxWindows: 1 << 16, FlushRows: 50_000, QueueBytes: 16 << 20,
		Log: zap.NewNop(),
	}
}

// Result is what came of one test.
type Result struct {
	Name         string
	Expectations int
	Failures     []string // a line each
	Events       []string // the records that were sent, if it failed
}

// Runner has an engine with the tables and views of a catalogue.
type Runner struct {
	opts    Options
	program *schemas.Program
	engine  *devclickhouse.Server
	store   *clickhouse.Client
	db      *sql.DB
	columns map[string][]string // of each view
	remove  func() error
}

// Start starts an engine and makes the tables and views. Close must follow.
func Start(ctx context.Context, opts Options) (r *Runner, err error) {
	r = &Runner{opts: opts, remove: func() error { return nil }}
	if r.program, err = schemas.Compile(opts.Catalogue); err != nil {
		return nil, err
	}
	if opts.Engine.Dir == "" {
		dir, err := os.MkdirTemp("", "tidemark-catalogue-test-")
		if err != nil {
			return nil, fmt.Errorf("make a directory for the tests: %w", err)
		}
		opts.Engine.Dir, r.remove = dir, func() error { return os.RemoveAll(dir) }
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.engine, err = devclickhouse.Start(ctx, opts.Engine); err != nil {
		return r, err
	}
	to, err := driver.ParseDSN(r.engine.DSN(devclickhouse.Migrator))
	if err != nil {
		return r, err
	}
	to.ReadTimeout = 5 * time.Minute
	r.db = driver.OpenDB(to)
	o := migrate.DefaultOptions()
	o.Catalogue, o.Now = opts.Catalogue, "toDateTime('"+opts.Now.UTC().Format(time.DateTime)+"', 'UTC')"
	if err := migrate.Up(ctx, r.db, o); err != nil {
		return r, err
	}
	if err := r.keepEverything(ctx); err != nil {
		return r, err
	}
	if to, err = driver.ParseDSN(r.engine.DSN(devclickhouse.Writer)); err != nil {
		return r, err
	}
	r.store, err = clickhouse.Open(clickhouse.Config{Addr: to.Addr, Database: to.Auth.Database, User: to.Auth.Username, Password: to.Auth.Password})
	return r, err
}

// Close ends the engine; what is in it is thrown away.
func (r *Runner) Close() error {
	var errs []error
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	if r.db != nil {
		errs = append(errs, r.db.Close())
	}
	if r.engine != nil {
		r.engine.Kill()
		<-r.engine.Done()
	}
	return errors.Join(append(errs, r.remove())...)
}

// keepEverything takes the tables' retention away, as a test's time may be long past, and learns the views' columns.
func (r *Runner) keepEverything(ctx context.Context) error {
	tables, err := r.list(ctx, "SELECT name FROM system.tables WHERE database = currentDatabase() AND endsWith(name, '_all') AND create_table_query LIKE '% TTL %'")
	if err != nil {
		return err
	}
	for _, t := range tables {
		if _, err := r.db.ExecContext(ctx, "ALTER TABLE `"+t+"` REMOVE TTL"); err != nil {
			return fmt.Errorf("keep the rows of %s: %w", t, err)
		}
	}
	r.columns = map[string][]string{}
	rows, err := r.db.QueryContext(ctx, "SELECT table, name FROM system.columns WHERE database = currentDatabase() ORDER BY table, position")
	if err != nil {
		return fmt.Errorf("list the views: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	for rows.Next() {
		var table, name string
		if err := rows.Scan(&table, &name); err != nil {
			return err
		}
		r.columns[table] = append(r.columns[table], name)
	}
	return rows.Err()
}

func (r *Runner) list(ctx context.Context, query string) ([]string, error) {
	rows, err := r.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// Run runs a test on empty tables.
func (r *Runner) Run(ctx context.Context, t Test) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	result := Result{Name: t.Name, Expectations: len(t.Expect)}
	records, err := t.Records(r.opts.Now)
	if err != nil {
		return result, err
	}
	letters, err := r.Load(ctx, records)
	if err != nil {
		return result, err
	}
	result.Failures = refused(letters, t)
	for _, e := range t.Expect {
		failures, err := r.check(ctx, e)
		if err != nil {
			return result, fmt.Errorf("%s: %w", e.Pos, err)
		}
		result.Failures = append(result.Failures, failures...)
	}
	if len(result.Failures) > 0 {
		for _, rec := range records {
			result.Events = append(result.Events, rec.Topic+" "+string(rec.Value))
		}
	}
	return result, nil
}

// Conn is a connection to what was folded, as the writer.
func (r *Runner) Conn() conn.Conn { return r.store.Conn() }

// Load folds records into empty tables, and returns a line for each that was refused.
func (r *Runner) Load(ctx context.Context, records []Record) (refused []string, err error) {
	tables, err := r.list(ctx, "SELECT name FROM system.tables WHERE database = currentDatabase() AND (endsWith(name, '_all'))")
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	for _, name := range tables {
		if _, err := r.db.ExecContext(ctx, "TRUNCATE TABLE `"+name+"`"); err != nil {
			return nil, fmt.Errorf("empty %s: %w", name, err)
		}
	}
	if err := r.fold(ctx, records); err != nil {
		return nil, err
	}
	refused, err = r.list(ctx, "SELECT concat(source, ' ', toString(offset), ': ', reason, ', ', detail) FROM dead_letters ORDER BY 1")
	if err != nil {
		return nil, fmt.Errorf("read the dead letters: %w", err)
	}
	return refused, nil
}

// fold sends the records to a broker of their own and lets the pipeline read them to their end.
func (r *Runner) fold(ctx context.Context, records []Record) (err error) {
	if len(records) == 0 {
		return nil
	}
	broker, err := devkafka.Start(ctx, devkafka.Options{Logger: r.opts.Pipeline.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return fmt.Errorf("connect to the embedded broker: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopics(ctx, 1, 1, nil, Telemetry, Tickets, Accounts, Signals, deadLetters); err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	out := make([]*kgo.Record, len(records))
	for i, rec := range records {
		out[i] = &kgo.Record{Topic: rec.Topic, Key: []byte(rec.Key), Value: rec.Value, Timestamp: rec.At}
	}
	if err := client.ProduceSync(ctx, out...).FirstErr(); err != nil { // each topic's in their order
		return fmt.Errorf("send the records: %w", err)
	}
	return r.read(ctx, broker.Addrs(), admin)
}

// read runs the pipeline until it has committed the ends of all topics.
func (r *Runner) read(ctx context.Context, brokers []string, admin *kadm.Client) error {
	cfg := r.opts.Pipeline
	cfg.Kafka, cfg.Group, cfg.InstanceID = []kgo.Opt{kgo.SeedBrokers(brokers...)}, "tidemark", ""
	cfg.DeadLetters, cfg.Program, cfg.Store, cfg.Metrics = deadLetters, r.program, r.store, metrics.New(prometheus.NewRegistry())
	cfg.FlushInterval = 100 * time.Millisecond
	p, err := pipeline.New(cfg)
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- p.Run(run) }()
	for {
		select {
		case err := <-done:
			return errors.Join(errors.New("the pipeline ended before it had read the test's records"), err)
		case <-time.After(50 * time.Millisecond): // what is behind is asked for, not waited for
		}
		lags, err := admin.Lag(ctx, cfg.Group)
		if err != nil {
			stop()
			return errors.Join(fmt.Errorf("ask how far the pipeline is: %w", err), <-done)
		}
		if group := lags[cfg.Group]; group.Error() == nil && group.State == "Stable" && group.Lag.Total() == 0 && committed(group, len(cfg.Topics)) {
			stop()
			return <-done
		}
	}
}

// committed reports whether all topics have been assigned, and every record of them committed.
func committed(group kadm.DescribedGroupLag, topics int) bool {
	if len(group.Lag) < topics {
		return false
	}
	for _, l := range group.Lag.Sorted() {
		if l.Lag != 0 {
			return false
		}
	}
	return true
}
