package collect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// Collector accepts events over HTTP. Make one with New and start it with Run.
type Collector struct {
	*Desk
	listener net.Listener
	keys     *keyring
	releaser *releaser
	writer   *writer

	requests *semaphore.Weighted
	events   *semaphore.Weighted
	inFlight atomic.Int64
	ready    atomic.Bool
}

// New checks the configuration, registers the metrics and opens the port, so
// that Addr is known. It does not talk to Kafka.
func New(c Config, log *zap.Logger, registerer prometheus.Registerer) (*Collector, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("collector configuration: %w", err)
	}
	// An outage fails every request alike: a few lines a second say so.
	log = log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, 5, 0)
	}))
	m, err := newMetrics(registerer)
	if err != nil {
		return nil, fmt.Errorf("register collector metrics: %w", err)
	}
	col := &Collector{
		Desk:     &Desk{config: c, log: log, metrics: m, privacy: newPolicies(c.Privacy, c.HashKey)},
		requests: semaphore.NewWeighted(int64(c.MaxRequests)),
		events:   semaphore.NewWeighted(int64(c.MaxInFlight)),
	}
	if col.keys, err = newKeyring(c.WriteKeys, c.Keys, log); err != nil {
		return nil, err
	}
	if col.writer, err = newWriter(c, m, log); err != nil {
		return nil, err
	}
	if col.directory, err = newDirectory(c, m, log); err != nil {
		return nil, err
	}
	col.releaser = newReleaser(c, col.accountOf, m, log)
	col.directory.users.changed = func(user string, _ membership) { col.releaser.learned(user) }
	col.directory.traits.learned = col.releaser.learned
	if err := registerGauges(registerer, col.gauges()); err != nil {
		col.directory.close()
		return nil, fmt.Errorf("register collector metrics: %w", err)
	}
	if col.listener, err = net.Listen("tcp", c.Listen); err != nil {
		col.directory.close()
		return nil, fmt.Errorf("listen on %s: %w: choose another address, or end what uses it", c.Listen, err)
	}
	return col, nil
}

// Addr is the host:port that the collector listens on.
func (c *Collector) Addr() string { return c.listener.Addr().String() }

// Run serves until ctx ends. Then it takes no more requests, finishes those in
// flight, writes what is waiting and returns. An error is one that a restart
// alone does not cure, or says what was left unfinished.
func (c *Collector) Run(ctx context.Context) error {
	// What requests in flight need goes on until they are finished.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, running := errgroup.WithContext(ctx)
	server := c.server(background)
	g.Go(func() error {
		serve := server.Serve
		if server.TLSConfig != nil {
			serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
		}
		if err := serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", c.Addr(), err)
		}
		return nil
	})
	following := make(chan struct{})
	go func() {
		defer close(following)
		c.directory.run(background)
	}()
	g.Go(func() error { return c.start(running) })
	released := make(chan error, 1)
	go func() { released <- c.releaser.run(background) }()
	g.Go(func() error {
		<-running.Done()
		return c.drain(server)
	})
	err := g.Wait()
	stop()
	<-following
	err = errors.Join(err, <-released)
	c.directory.close()
	return err
}

func (c *Collector) server(background context.Context) *http.Server {
	server := &http.Server{
		Handler:           traced(identified(c.cors(c.routes()))),
		BaseContext:       func(net.Listener) context.Context { return background },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30*time.Second + c.config.WriteTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          zap.NewStdLog(c.log),
	}
	if pair := c.config.Certificate; pair != nil {
		server.TLSConfig = &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair() },
		}
	}
	return server
}

// start opens the collector for events once its topics are there and it knows
// the users and accounts.
func (c *Collector) start(ctx context.Context) error {
	if err := c.checkTopics(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := c.directory.catchUp(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("read users and accounts: %w", err)
	}
	c.ready.Store(true)
	c.log.Info("collector ready", zap.String("addr", c.Addr()), zap.Int("users", c.directory.users.len()), zap.Int("traits", c.directory.traits.len()))
	return nil
}

// topicsWithin is how long a topic may be missing: brokers learn of a new topic
// one after another.
const topicsWithin = 5 * time.Second

// checkTopics returns nil once Kafka has all topics, and an error that names
// those it does not have.
func (c *Collector) checkTopics(ctx context.Context) error {
	t := c.config.Topics
	names := []string{t.Telemetry, t.Users, t.Accounts, t.Signals, t.Tickets, t.Parked}
	admin := kadm.NewClient(c.directory.client)
	for deadline := time.Now().Add(topicsWithin); ; {
		found, err := retry(ctx, c.log, "ask kafka for the topics", func() (kadm.TopicDetails, error) {
			return admin.ListTopics(ctx, names...)
		})
		if err != nil {
			return err
		}
		var missing []error
		for _, name := range names {
			if !found.Has(name) {
				missing = append(missing, fmt.Errorf("topic %q does not exist: create it, or let `tidemark migrate` do so", name))
			}
		}
		if len(missing) == 0 || time.Now().After(deadline) {
			return errors.Join(missing...)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// drain ends the server and flushes the writer within the drain timeout.
func (c *Collector) drain(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.config.DrainTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("finish requests in flight: %w", err), server.Close())
	}
	c.ready.Store(false)
	return errors.Join(err, c.writer.close(ctx))
}

func (c *Collector) gauges() gauges {
	return gauges{
		inFlight: func() float64 { return float64(c.inFlight.Load()) },
		users:    func() float64 { return float64(c.directory.users.len()) },
		traits:   func() float64 { return float64(c.directory.traits.len()) },
		parked: func() float64 {
			n, _ := c.releaser.waiting()
			return float64(n)
		},
		parkedOldest: func() float64 {
			n, oldest := c.releaser.waiting()
			if n == 0 {
				return 0
			}
			return c.config.Now().Sub(oldest).Seconds()
		},
		partitions: func() float64 { return float64(len(c.releaser.partitions())) },
		ready: func() float64 {
			if c.ready.Load() {
				return 1
			}
			return 0
		},
	}
}
