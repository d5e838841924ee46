package main

import (
	"context"
	"fmt"

	"tidemark/internal/rebuild"
	"tidemark/internal/rewind"
)

type rewindCmd struct {
	AcceptLoss bool `help:"Go on although records after the backup were deleted from the log: they will be missing."`
}

// Run sets the group back to what ClickHouse has counted.
func (r *rewindCmd) Run(ctx context.Context, g *globals) error {
	s, done, err := openGenerations(g)
	if err != nil {
		return err
	}
	defer done()
	live, err := s.store.LiveGeneration(ctx)
	if err != nil {
		return err
	}
	steps, err := rewind.Run(ctx, rewind.Options{
		Admin: s.admin, Store: s.store.OfGeneration(live), Group: rebuild.Group(s.cfg.Kafka.Group, live),
		Topics: s.cfg.Kafka.Topics.Folded(), AcceptLoss: r.AcceptLoss,
	})
	if err != nil {
		return err
	}
	for _, step := range steps {
		fmt.Fprintln(g.stdout, step)
	}
	_, err = fmt.Fprintf(g.stdout, "%d offsets set; start the pipelines\n", len(steps))
	return err
}
