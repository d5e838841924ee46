package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/internal/admin"
	"tidemark/internal/config"
	"tidemark/internal/demo"
	"tidemark/internal/devclickhouse"
	"tidemark/internal/devkafka"
	"tidemark/internal/simulate"
	"tidemark/pipeline"
	"tidemark/pipeline/collect"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/notify"
)

type demoCmd struct {
	DataDir        string        `default:".tidemark/demo" env:"TIDEMARK_DEMO_DATA_DIR" placeholder:"DIR" help:"Where Kafka, ClickHouse and the simulator keep their state (${default})."`
	Duration       time.Duration `env:"TIDEMARK_DEMO_DURATION" help:"End after this much live traffic, and compare ClickHouse with the simulator's truth; without it, run until Ctrl-C."`
	Rate           float64       `default:"200" env:"TIDEMARK_DEMO_RATE" help:"Live events a second (${default})."`
	Accounts       int           `default:"50" env:"TIDEMARK_DEMO_ACCOUNTS" help:"Simulated accounts (${default})."`
	Seed           uint64        `default:"1" env:"TIDEMARK_DEMO_SEED" help:"Seed of the simulated customer base (${default})."`
	History        time.Duration `default:"336h" env:"TIDEMARK_DEMO_HISTORY" help:"Past that is filled in first (${default})."`
	BoardPort      int           `default:"8088" env:"TIDEMARK_DEMO_BOARD_PORT" help:"Port of the board (${default}; 0: any)."`
	CollectorPort  int           `default:"8080" env:"TIDEMARK_DEMO_COLLECTOR_PORT" help:"Port that SDKs send to (${default}; 0: any)."`
	AdminPort      int           `default:"9090" env:"TIDEMARK_DEMO_ADMIN_PORT" help:"Port of /metrics and health (${default}; 0: any)."`
	KafkaPort      int           `default:"9092" env:"TIDEMARK_DEMO_KAFKA_PORT" help:"Port of the embedded Kafka (${default}; 0: any)."`
	ClickHousePort int           `name:"clickhouse-port" default:"9000" env:"TIDEMARK_DEMO_CLICKHOUSE_PORT" help:"Native port of the embedded ClickHouse (${default}; 0: any)."`
	HTTPPort       int           `name:"clickhouse-http-port" default:"8123" env:"TIDEMARK_DEMO_CLICKHOUSE_HTTP_PORT" help:"HTTP port of the embedded ClickHouse (${default}; 0: any)."`
}

// stopTimeout bounds the orderly end of the embedded ClickHouse.
const stopTimeout = 30 * time.Second

// Run starts everything in one process, but for ClickHouse's own, and plays a customer base until it is told to end.
func (d *demoCmd) Run(ctx context.Context, g *globals) (err error) {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	if g.LogLevel == "" {
		cfg.Log.Level = "error" // what matters is on the screen
	}
	log, err := g.logger(cfg.Log)
	if err != nil {
		return err
	}
	if err := d.portsFree(ctx); err != nil {
		return err
	}
	broker, err := devkafka.Start(ctx, devkafka.Options{DataDir: filepath.Join(d.DataDir, "kafka"), Port: d.KafkaPort, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	engine, err := d.startEngine(ctx, g, &cfg.ClickHouse)
	if err != nil {
		return err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if e := engine.Stop(stop); e != nil {
			log.Warn("ClickHouse did not end in order; what it acknowledged is safe", zap.Error(e))
		}
	}()
	if err := d.configure(&cfg, broker, engine); err != nil {
		return err
	}
	if _, err := ensureTopics(ctx, &cfg.Kafka); err != nil {
		return err
	}
	if err := migrateUp(ctx, &cfg); err != nil {
		return err
	}
	return d.play(ctx, g, &cfg, log, engine)
}

// portsFree says at once which port is taken, before anything has started.
func (d *demoCmd) portsFree(ctx context.Context) error {
	var errs []error
	for _, p := range []struct {
		port int
		flag string
	}{
		{d.BoardPort, "board-port"}, {d.CollectorPort, "collector-port"}, {d.AdminPort, "admin-port"}, {d.KafkaPort, "kafka-port"},
		{d.ClickHousePort, "clickhouse-port"}, {d.HTTPPort, "clickhouse-http-port"},
	} {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)))
		if err != nil {
			errs = append(errs, fmt.Errorf("port %d is taken: end what listens there (ss -ltnp 'sport = :%d'), or choose another with --%s (0: any free one)",
				p.port, p.port, p.flag))
			continue
		}
		if err := l.Close(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (d *demoCmd) startEngine(ctx context.Context, g *globals, c *config.ClickHouse) (*devclickhouse.Server, error) {
	line := demo.NewLine(g.stdout)
	defer line.End()
	return devclickhouse.Start(ctx, devclickhouse.Options{
		Dir: filepath.Join(d.DataDir, "clickhouse"), HTTPPort: d.HTTPPort, NativePort: d.ClickHousePort,
		Passwords: demoPasswords(), Tenants: devTenants(c),
		Progress: func(done, total int64) {
			line.Show(time.Now(), "fetching ClickHouse's engine, once: %d of %d MB", done>>20, total>>20)
		},
	})
}

// demoPasswords are the roles' own names: everything listens on the loopback interface only.
func demoPasswords() map[devclickhouse.Role]string {
	passwords := map[devclickhouse.Role]string{}
	for _, r := range []devclickhouse.Role{devclickhouse.Migrator, devclickhouse.Writer, devclickhouse.Reader, devclickhouse.Eraser} {
		passwords[r] = string(r)
	}
	return passwords
}

// configure points the configuration at the embedded parts.
func (d *demoCmd) configure(cfg *config.Config, broker *devkafka.Broker, engine *devclickhouse.Server) error {
	cfg.Kafka.Brokers = broker.Addrs()
	cfg.Kafka.SessionTimeout = 6 * time.Second // so that a start after a crash does not wait long for the dead member
	cfg.ClickHouse.Addr = []string{engine.NativeAddr()}
	cfg.ClickHouse.Protocol = "native"
	for _, l := range []*config.Login{&cfg.ClickHouse.Migrator, &cfg.ClickHouse.Writer, &cfg.ClickHouse.Reader, &cfg.ClickHouse.Eraser} {
		l.Password = config.NewSecret(l.User)
	}
	cfg.Board = config.Board{Listen: net.JoinHostPort("127.0.0.1", strconv.Itoa(d.BoardPort))}
	cfg.Collector.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(d.CollectorPort))
	cfg.Admin.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(d.AdminPort))
	return nil
}

// play runs collector, pipeline and simulator.
func (d *demoCmd) play(ctx context.Context, g *globals, cfg *config.Config, log *zap.Logger, engine *devclickhouse.Server) error {
	registry := admin.NewRegistry()
	var p *pipeline.Pipeline
	ops, err := listenAdmin(ctx, &cfg.Admin, registry, func() error { return p.Ready() }) // it is served when all is made
	if err != nil {
		return err
	}
	cfg.Admin.Listen = ops.Addr() // with the port that was found: by it the board asks the pipeline
	p, store, err := newPipeline(ctx, cfg, log, registry)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing is left to lose
	cc, err := collectConfig(cfg)
	if err != nil {
		return err
	}
	collector, err := collect.New(cc, log, registry)
	if err != nil {
		return err
	}
	reader, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Reader)
	if err != nil {
		return err
	}
	defer reader.Close() //nolint:errcheck // it only reads
	if len(cfg.Triggers.Targets) == 0 {
		cfg.Triggers.Targets = notify.Targets{"log": {Log: &notify.Log{}}}
	}
	alerts, err := newTriggers(cfg, log, registry)
	if err != nil {
		return err
	}
	defer alerts.Close() //nolint:errcheck // what it told is stored
	pages, closeBoard, err := newBoard(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer closeBoard()
	d.welcome(g, cfg, engine, pages.URL(), collector.Addr(), ops.Addr())

	// The simulator ends first; the rest serves until it has, and until what it sent is in ClickHouse.
	serve, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, serve := errgroup.WithContext(serve)
	group.Go(func() error { return ops.Run(serve) })
	group.Go(func() error { return collector.Run(serve) })
	group.Go(func() error { return p.Run(serve) })
	group.Go(func() error { p.Observe(serve, store); return nil })
	group.Go(func() error { return alerts.Run(serve) })
	group.Go(func() error { return pages.Run(serve) })
	group.Go(func() error {
		select {
		case <-serve.Done():
			return nil
		case <-engine.Done():
			return fmt.Errorf("ClickHouse has ended by itself (see %s): %w", engine.LogFile(), engine.Err())
		}
	})
	err = d.simulate(ctx, serve, g, cfg, collector.Addr(), reader, registry)
	stop()
	return errors.Join(err, group.Wait())
}

func (d *demoCmd) simulate(
	ctx, serve context.Context, g *globals, cfg *config.Config, collector string, reader *clickhouse.Client, registry prometheus.Gatherer,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(serve, cancel)() // a part that fails ends the play
	line := demo.NewLine(g.stdout)
	figures := demo.NewReader(reader.Conn(), registry)
	show := func(progress simulate.Progress) {
		f, err := figures.Read(ctx)
		if err != nil {
			return // the next second tells
		}
		what := "live"
		if progress.Backfilling {
			what = fmt.Sprintf("filling in the past %.0f%%", 100*progress.Past)
		}
		fresh := "-"
		if f.Freshness >= 0 {
			fresh = f.Freshness.Round(10 * time.Millisecond).String()
		}
		line.Show(time.Now(), "%s: %.0f events/s · lag %.0f · freshness %s · %d events of %d accounts", what, progress.Rate, f.Lag, fresh, f.Events, f.Accounts)
	}
	t := cfg.Kafka.Topics
	truth, err := simulate.Run(ctx, simulate.Options{
		CollectorURL: "http://" + collector, WriteKey: "demo", Brokers: cfg.Kafka.Brokers,
		Topics: simulate.Topics{Telemetry: t.Telemetry, Tickets: t.Tickets, Accounts: t.Accounts, Signals: t.Signals},
		Seed:   d.Seed, Accounts: d.Accounts, Rate: d.Rate, History: d.History, Duration: d.Duration,
		StateDir: filepath.Join(d.DataDir, "simulator"), OnProgress: show,
	})
	line.End()
	if err != nil || ctx.Err() != nil {
		return err
	}
	return d.compare(ctx, g, truth, reader)
}

func (d *demoCmd) welcome(g *globals, cfg *config.Config, engine *devclickhouse.Server, board, collector, ops string) {
	data, err := filepath.Abs(d.DataDir)
	if err != nil {
		data = d.DataDir
	}
	sql := func(query string) string {
		return fmt.Sprintf("curl -s 'http://%s/?user=reader&password=reader&database=%s' -d \"%s\"", engine.HTTPAddr(), cfg.ClickHouse.Database, query)
	}
	fmt.Fprintf(g.stdout, `
Tidemark demo: %d simulated accounts, their past first, then %.0f events a second. Ctrl-C ends it; a second start goes on.

  board       %s

  collector   http://%s   (Segment API; any write key)
  ClickHouse  http://%s and %s   (user reader, password reader)
  Kafka       %s
  metrics     http://%s/metrics
  data        %s

Try, in another terminal: count an event of your own, see it, look at the customer base, and at the alerts of the shipped rules:

  curl -s -u demo: -H 'Content-Type: application/json' http://%s/v1/track -d '{"userId":"me","event":"Report Published","context":{"groupId":"my-company"},"properties":{"feature":"reports"}}'

  %s

  %s

  %s

`, d.Accounts, d.Rate, board, collector, engine.HTTPAddr(), engine.NativeAddr(), cfg.Kafka.Brokers[0], ops, data, collector,
		sql("SELECT window_start, events, active_users, features_used FROM usage_minute WHERE account_id = 'my-company' ORDER BY window_start DESC LIMIT 3 FORMAT PrettyCompact"),
		sql("SELECT account_id, plan, seats, active_users, seat_utilization, sessions, active_minutes FROM usage_day WHERE window_start = today() ORDER BY active_users DESC LIMIT 10 FORMAT PrettyCompact"),
		sql("SELECT rule, account_id, severity, value, fired_at, playbook FROM alerts ORDER BY fired_at DESC LIMIT 10 FORMAT PrettyCompact"))
}

// compareTimeout bounds the wait for the last events to be queryable.
const compareTimeout = time.Minute

// compare waits until all that was sent is in ClickHouse and compares it with what the simulator meant.
func (d *demoCmd) compare(ctx context.Context, g *globals, truth *simulate.Truth, reader *clickhouse.Client) error {
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	differences, err := compareAll(ctx, reader, truth)
	for err == nil && len(differences) > 0 { // parked events may still be on their way from the collector
		select {
		case <-time.After(time.Second):
			differences, err = compareAll(ctx, reader, truth)
			continue
		case <-ctx.Done():
		}
		break
	}
	if err != nil {
		return err
	}
	dead := uint64(0)
	for _, n := range truth.DeadLetters {
		dead += n
	}
	fmt.Fprintf(g.stdout, "\nThe simulator sent %d messages: %d applied, %d duplicates, %d filtered, %d dead letters, %d parked until their account is known.\n",
		truth.Messages, truth.Applied, truth.Duplicates, truth.Filtered, dead, truth.Parked())
	if len(differences) == 0 {
		fmt.Fprintf(g.stdout, "ClickHouse agrees in every window: %d cells of the tables and the views of usage, workflows and support compared, 0 differences.\n", len(truth.Cells()))
		return nil
	}
	for _, diff := range differences[:min(len(differences), 20)] {
		fmt.Fprintln(g.stdout, diff)
	}
	return fmt.Errorf("ClickHouse differs from the simulator's truth in %d cells (the first are above)", len(differences))
}

// compareAll compares the tables and, once those agree, the views.
func compareAll(ctx context.Context, reader *clickhouse.Client, truth *simulate.Truth) ([]simulate.Difference, error) {
	differences, err := simulate.CompareTruth(ctx, reader.Conn(), truth)
	if err != nil || len(differences) > 0 {
		return differences, err
	}
	return simulate.CompareFigures(ctx, reader.Conn(), truth)
}
