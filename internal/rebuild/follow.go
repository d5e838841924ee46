package rebuild

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/pipeline"
	"tidemark/pipeline/forgotten"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

const (
	// lookEvery is how often a running pipeline looks which generation is live.
	lookEvery = 10 * time.Second
	// lookTimeout bounds one look.
	lookTimeout = 10 * time.Second
)

// Group returns the name of the consumer group of a generation: the configured one for generation 0.
func Group(base string, generation uint16) string {
	if generation == 0 {
		return base
	}
	return fmt.Sprintf("%s-g%d", base, generation)
}

// Follower runs the pipeline of the live generation, and changes to another when that goes live.
type Follower struct {
	// Pipeline is the pipeline's configuration but for its store; Group is that of generation 0.
	Pipeline pipeline.Config
	Store    *clickhouse.Client
	// Program compiles the catalogue as it is now. It may have been replaced together with the generation.
	Program func() (*schemas.Program, error)
	// Forgotten reads whom there may be no rows of.
	Forgotten func(ctx context.Context) (*forgotten.List, error)

	ready atomic.Pointer[func() error]
}

// Ready returns nil once all sources of the live generation are folded, else what is missing.
func (f *Follower) Ready() error {
	if ready := f.ready.Load(); ready != nil {
		return (*ready)()
	}
	return errors.New("waiting for ClickHouse")
}

func (f *Follower) isReady(ready func() error) { f.ready.Store(&ready) }

// errMoved ends the pipeline of a generation that is no longer live.
var errMoved = errors.New("another generation went live, or somebody was forgotten")

// Run follows until ctx ends. It returns nil when it was told to end.
func (f *Follower) Run(ctx context.Context) error {
	log := f.Pipeline.Log
	complained := ""
	for ctx.Err() == nil {
		now, err := f.look(ctx)
		if err != nil {
			f.isReady(func() error { return err })
			if text := err.Error(); text != complained && ctx.Err() == nil {
				complained = text
				log.Error("not folding; looking again every "+lookEvery.String(), zap.Error(err))
			}
			wait(ctx, lookEvery)
			continue
		}
		complained = ""
		err = f.run(ctx, now)
		if err != nil && !errors.Is(err, errMoved) {
			return err
		}
	}
	return nil
}

// state is what a running pipeline goes by.
type state struct {
	live      uint16
	program   *schemas.Program
	forgotten *forgotten.List
}

// look finds out which generation is live, whether the catalogue at hand is right for it, and who is forgotten.
func (f *Follower) look(ctx context.Context) (s state, err error) {
	if s.program, err = f.Program(); err != nil {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	all, err := f.Store.Generations(ctx)
	if err != nil {
		return s, err
	}
	if s.live, err = f.Store.LiveGeneration(ctx); err != nil {
		return s, err
	}
	if s.forgotten, err = f.Forgotten(ctx); err != nil {
		return s, err
	}
	return s, suits(all, s.live, s.program.Hash)
}

// suits refuses the catalogue of another generation that was live: a process that was forgotten when a rebuild went live would
// stop counting what is new, and one that came too late for a step back would count what was taken back.
func suits(all []clickhouse.Generation, live uint16, hash string) error {
	var other *clickhouse.Generation
	for i := range all {
		g := &all[i]
		if g.Number == live && g.Catalogue == hash {
			return nil
		}
		if g.Number != live && g.State == clickhouse.Retired && g.Catalogue == hash {
			other = g
		}
	}
	if other == nil {
		return nil // one that is new: what it adds counts from here on
	}
	return fmt.Errorf("generation %d is live, and pipeline.catalogue is still that of generation %d: give this process the catalogue that generation "+
		"%[1]d was computed with; or change back to generation %[2]d with tidemark rebuild back", live, other.Number)
}

// run runs the pipeline of one generation until ctx ends, or until another is live or somebody more is forgotten: then it returns errMoved.
func (f *Follower) run(ctx context.Context, now state) error {
	cfg := f.Pipeline
	store := f.Store.OfGeneration(now.live)
	cfg.Store, cfg.Program, cfg.Group, cfg.Forgotten = store, now.program, Group(cfg.Group, now.live), now.forgotten
	p, err := pipeline.New(cfg) // which joins the group
	if err != nil {
		return err
	}
	f.isReady(p.Ready)
	cfg.Log.Info("folding", zap.Uint16("generation", now.live), zap.String("group", cfg.Group), zap.String("catalogue", now.program.Hash), zap.Int("forgotten", now.forgotten.Len()))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { p.Observe(ctx, store); return nil })
	group.Go(func() error { p.Account(ctx, store); return nil })
	group.Go(func() error { return p.Run(ctx) })
	group.Go(func() error { return f.watch(ctx, now) })
	return group.Wait()
}

// watch returns errMoved once another generation is live, or somebody more is forgotten.
func (f *Follower) watch(ctx context.Context, was state) error {
	for wait(ctx, lookEvery) {
		look, cancel := context.WithTimeout(ctx, lookTimeout)
		live, err := f.Store.LiveGeneration(look)
		list, listErr := f.Forgotten(look)
		cancel()
		switch {
		case listErr != nil && ctx.Err() == nil:
			f.Pipeline.Log.Warn("who is forgotten could not be found out", zap.Error(listErr))
		case listErr == nil && list.Len() != was.forgotten.Len():
			f.Pipeline.Log.Info("somebody was forgotten: going on without them", zap.Int("forgotten", list.Len()))
			return errMoved
		}
		switch {
		case err != nil && ctx.Err() == nil:
			f.Pipeline.Log.Warn("whether another generation is live could not be found out", zap.Error(err))
		case err == nil && live != was.live:
			f.Pipeline.Log.Info("another generation went live: changing to it", zap.Uint16("was", was.live), zap.Uint16("is", live))
			return errMoved
		}
	}
	return nil
}

// wait waits, and says whether ctx is still alive.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
