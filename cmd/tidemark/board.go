package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.uber.org/zap"

	"tidemark/internal/board"
	"tidemark/internal/config"
	"tidemark/internal/explain"
)

type boardCmd struct {
	Listen string `placeholder:"ADDRESS" help:"Where to listen, host:port, whatever the configuration says."`
}

// Run serves the board until it is told to end.
func (b *boardCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	if b.Listen != "" {
		cfg.Board.Listen = b.Listen
	}
	log, err := g.logger(cfg.Log)
	if err != nil {
		return err
	}
	pages, closeAll, err := newBoard(ctx, &cfg, log)
	if err != nil {
		return err
	}
	defer closeAll()
	fmt.Fprintf(g.stdout, "The board is at %s\n", pages.URL())
	return pages.Run(ctx)
}

// newBoard opens the board's port and its connections; the function it returns closes these.
func newBoard(ctx context.Context, cfg *config.Config, log *zap.Logger) (*board.Server, func(), error) {
	c := cfg.Board
	access := board.Access{Token: c.Token, Tenant: c.Tenant, UserHeader: c.UserHeader, TenantHeader: c.TenantHeader}
	for _, text := range c.Proxies {
		prefix, err := network(text)
		if err != nil {
			return nil, nil, fmt.Errorf("board.proxies: %w", err)
		}
		access.Proxies = append(access.Proxies, prefix)
	}
	answer, err := boardExplain(cfg)
	if err != nil {
		return nil, nil, err
	}
	rules, err := loadRules(cfg)
	if err != nil {
		return nil, nil, err
	}
	gatherer, closeGatherer, err := newGatherer(ctx, cfg, nil)
	if err != nil {
		return nil, nil, err
	}
	gatherer.Pause = boardPause
	closers := []func(){closeGatherer}
	closeAll := func() {
		for _, c := range closers {
			c()
		}
	}
	b := board.Config{Listen: c.Listen, Telemetry: cfg.Kafka.Topics.Telemetry, Access: access, Explain: answer, Gather: gatherer.Gather, Rules: rules, Tenants: map[string]driver.Conn{}, Log: log}
	open := func(as config.Login) (driver.Conn, error) {
		client, err := clickhouseClient(&cfg.ClickHouse, as)
		if err != nil {
			return nil, err
		}
		closers = append(closers, func() { _ = client.Close() }) // it only reads
		return client.Conn(), nil
	}
	b.Reader, err = open(cfg.ClickHouse.Reader)
	for name, t := range cfg.ClickHouse.Tenants {
		if err == nil {
			b.Tenants[name], err = open(config.Login{User: name, Password: t.Password})
		}
	}
	var server *board.Server
	if err == nil {
		server, err = board.Listen(ctx, b)
	}
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	return server, closeAll, nil
}

const (
	// boardPause is between the two readings of a process's metrics that rates are worked out from.
	boardPause = time.Second
	// boardScan is how many records of a partition are read again, at most, to tell why a number is what it is; whoever wants
	// more has tidemark explain. boardSamples is how many events of each sort are listed.
	boardScan, boardSamples = 200_000, 20
)

// boardExplain is tidemark explain for the board.
func boardExplain(cfg *config.Config) (board.Explain, error) {
	log, catalogue, err := recountOptions(cfg)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, conn driver.Conn, q board.Question) (*explain.Explanation, error) {
		metric, err := explain.Find(catalogue, q.Metric)
		if err != nil {
			return nil, err
		}
		window, err := explain.ParseWindow(q.Window, "")
		if err != nil {
			return nil, err
		}
		return explain.Run(ctx, conn, explain.Options{
			Catalogue: catalogue, Log: log, Disorder: disorderOf(cfg, metric),
			Account: q.Account, Metric: metric, Window: window, By: q.By, Scan: boardScan, Samples: boardSamples,
		})
	}, nil
}

// network is an address, or all of a network such as 10.0.0.0/8.
func network(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no address or network such as 10.0.0.0/8", text)
	}
	return prefix.Masked(), nil
}
