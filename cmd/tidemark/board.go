package main

import (
	"context"
	"fmt"
	"net/netip"

	"go.uber.org/zap"

	"tidemark/internal/board"
	"tidemark/internal/config"
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
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Reader)
	if err != nil {
		return nil, nil, err
	}
	closeAll := func() { _ = store.Close() } // it only reads
	server, err := board.Listen(ctx, board.Config{Listen: c.Listen, Access: access, Reader: store.Conn(), Log: log})
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	return server, closeAll, nil
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
