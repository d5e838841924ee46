package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/config"
	"tidemark/internal/doctor"
	"tidemark/internal/preflight"
	"tidemark/pipeline/lag"
	"tidemark/sinks/clickhouse"
)

type doctorCmd struct {
	Admin  []string      `placeholder:"ADDRESS" help:"Admin ports of the processes to ask, host:port; without it that of the configuration on this host."`
	Pause  time.Duration `default:"6s" help:"Between the two readings of each process's metrics: what does not happen meanwhile is not seen."`
	JSON   bool          `name:"json" help:"Print JSON: the facts and the findings."`
	Bundle string        `type:"path" placeholder:"FILE" help:"Write a tar.gz for whoever helps: report, configuration and metrics, without secrets."`
}

// exitUnable is the code of a doctor that could not do its work; 1 says that it did, and found something.
const exitUnable = 2

// unableError says why the doctor could not do its work.
type unableError struct{ error }

func (unableError) ExitCode() int   { return exitUnable }
func (e unableError) Unwrap() error { return e.error }

// Run gathers, diagnoses and tells.
func (d *doctorCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return unableError{err}
	}
	gatherer, closeAll, err := newGatherer(ctx, &cfg, d.Admin)
	if err != nil {
		return unableError{err}
	}
	defer closeAll()
	gatherer.Pause = d.Pause
	gatherer.Setup = func(ctx context.Context) []preflight.Finding {
		var found []preflight.Finding
		show := func(f ...preflight.Finding) { found = append(found, f...) }
		show(checkCatalogue(&cfg)...)
		if err := checkServers(ctx, &cfg, show); err != nil {
			show(preflight.Finding{Level: preflight.Error, Subject: "check", Text: err.Error()})
		}
		return found
	}
	report := doctor.Examine(gatherer.Gather(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := d.tell(ctx, g, &cfg, report); err != nil {
		return unableError{err}
	}
	if doctor.Grave(report.Findings) {
		return errors.New("doctor: something has to be done: see above")
	}
	return nil
}

// tell prints the report and writes the bundle.
func (d *doctorCmd) tell(ctx context.Context, g *globals, cfg *config.Config, report *doctor.Report) error {
	secrets := doctor.NewRedactor(cfg)
	if d.JSON {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(g.stdout, "%s\n", secrets.Redact(text)); err != nil {
			return err
		}
	} else if err := report.WriteText(g.stdout); err != nil {
		return err
	}
	if d.Bundle == "" {
		return nil
	}
	entries, err := report.Entries(ctx, cfg, version)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(d.Bundle, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(doctor.WriteBundle(file, entries, secrets, report.Facts.At), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", d.Bundle, err)
	}
	fmt.Fprintf(g.stderr, "wrote %s\n", d.Bundle)
	return nil
}

// newGatherer connects to Kafka and ClickHouse; the function it returns closes the connections.
func newGatherer(ctx context.Context, cfg *config.Config, admin []string) (*doctor.Gatherer, func(), error) {
	opts, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return nil, nil, err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	stores := []*clickhouse.Client{}
	closeAll := func() {
		client.Close()
		for _, s := range stores {
			_ = s.Close() // they only read
		}
	}
	open := func(c config.ClickHouse) (*clickhouse.Client, error) {
		s, err := clickhouseClient(&c, c.Reader)
		if err == nil {
			stores = append(stores, s)
		}
		return s, err
	}
	store, err := open(cfg.ClickHouse)
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	t, d := cfg.Kafka.Topics, cfg.Pipeline.Disorder
	gatherer := &doctor.Gatherer{
		Brokers: cfg.Kafka.Brokers, Store: store.Conn(),
		Meter:    &lag.Meter{Client: client, Kafka: opts, Group: liveGroup(ctx, store, cfg.Kafka.Group), Topics: t.Folded()},
		Raw:      normaliserMeter(cfg, client, opts),
		Disorder: map[string]time.Duration{t.Telemetry: d.Telemetry, t.Tickets: d.Tickets, t.Accounts: d.Accounts, t.Signals: d.Signals},
	}
	for _, addr := range cfg.ClickHouse.Addr {
		one := cfg.ClickHouse
		one.Addr = []string{addr}
		s, err := open(one)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		gatherer.Servers = append(gatherer.Servers, doctor.Conn{Addr: addr, Conn: s.Conn()})
	}
	if len(admin) == 0 {
		address, err := onThisHost(cfg.Admin.Listen)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		admin = []string{address}
	}
	for _, address := range admin {
		if !strings.Contains(address, "://") {
			address = "http://" + address
		}
		gatherer.Admin = append(gatherer.Admin, strings.TrimRight(address, "/"))
	}
	return gatherer, closeAll, nil
}

// onThisHost is where a process that listens on an address is reached from the same host.
func onThisHost(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("admin.listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
