package main

import (
	"context"
	"fmt"
	"time"
)

type dlqDropCmd struct {
	dlqSelection
	signature
}

// Run settles dead letters that are of no use.
func (c *dlqDropCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	f, err := c.chosen(time.Now())
	if err != nil {
		return err
	}
	r, err := redriver(&cfg, c.person())
	if err != nil {
		return err
	}
	n, err := r.Drop(ctx, f)
	fmt.Fprintf(g.stdout, "%d dropped\n", n)
	return err
}
