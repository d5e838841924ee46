package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"tidemark/internal/doctor"
)

type topCmd struct {
	Admin    []string      `placeholder:"ADDRESS" help:"Admin ports of the processes to ask, host:port; without it that of the configuration on this host."`
	Interval time.Duration `default:"2s" help:"Between two pictures; rates are those of that time."`
	Once     bool          `help:"Show one picture and end, as it does without a terminal."`
}

// Run shows picture after picture until q, or Ctrl-C.
func (c *topCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	gatherer, closeAll, err := newGatherer(ctx, &cfg, c.Admin)
	if err != nil {
		return err
	}
	defer closeAll()
	gatherer.Pause, gatherer.Hot = c.Interval, true
	screen, _ := g.stdout.(*os.File)
	if c.Once || !isTerminal(g.stdout) {
		_, err := fmt.Fprint(g.stdout, doctor.Frame(gatherer.Gather(ctx), 0, 0))
		return err
	}
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	if restore, err := keysOf(os.Stdin); err == nil {
		done := make(chan struct{})
		go func() { defer close(done); untilQ(ctx, os.Stdin, quit) }()
		defer restore()
		defer func() { quit(); <-done }()
	}
	for ctx.Err() == nil {
		facts := gatherer.Gather(ctx)
		if ctx.Err() != nil {
			return nil
		}
		columns, rows := sizeOf(screen)
		if _, err := fmt.Fprint(screen, "\x1b[H\x1b[2J"+doctor.Frame(facts, columns, rows)); err != nil {
			return err
		}
	}
	return nil
}

// untilQ reads keys until one is q. The terminal returns from a read without a key every now and then.
func untilQ(ctx context.Context, keys *os.File, quit func()) {
	key := make([]byte, 1)
	for ctx.Err() == nil {
		n, _ := keys.Read(key) // without a key it is an end of file
		if n == 1 && (key[0] == 'q' || key[0] == 'Q') {
			quit()
		}
	}
}
