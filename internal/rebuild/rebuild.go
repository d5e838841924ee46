// Package rebuild computes the rollups anew from the start of the logs, as a generation beside the one that is read, and
// makes it the live one; and it runs the pipeline of whichever generation is live.
package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/pipeline"
	"tidemark/pipeline/forgotten"
	"tidemark/sinks/clickhouse"
)

const (
	// measureEvery is how often progress is measured.
	measureEvery = time.Second
	// closeBehind is how long what comes into the logs may take to be folded by a generation that has caught up.
	closeBehind = 5 * time.Second
	// switchEvery is the pause between two attempts to switch. It is short, because the moment must be one at which the live
	// generation has written nothing that the new one has not.
	switchEvery = 50 * time.Millisecond
	// switchPatience is how long such a moment is waited for.
	switchPatience = 2 * time.Minute
	// handover is how long the new generation is kept fresh here until a running pipeline takes it over: it looks every 10
	// seconds, and then drains.
	handover = time.Minute
)

// Options say what to rebuild.
type Options struct {
	Pipeline pipeline.Config // but for its store; Group is that of generation 0
	Store    *clickhouse.Client
	Admin    *kadm.Client
	// Forgotten reads whom there may be no rows of.
	Forgotten func(ctx context.Context) (*forgotten.List, error)

	Resume         bool // go on with a generation that is being built, and begin none
	NoSwitch       bool // end when the new generation has caught up
	FromWhatIsLeft bool // accept that the beginning of a log is gone

	Begun    func(generation uint16, resumed bool)
	Progress func(Progress)
	Switched func(ctx context.Context) error // is run once the new generation is live
}

// Progress is how far a generation is.
type Progress struct {
	Generation  uint16
	Done, Total int64 // offsets of all logs
}

// Report says what a rebuild did.
type Report struct {
	Generation uint16
	Was        uint16 // the live one before
	Switched   bool
	TakenOver  bool // a running pipeline goes on with it
}

// ErrStopped says that a source of the new generation cannot go on without a person.
var ErrStopped = errors.New("the rebuild stopped")

// Run builds a generation, or goes on with the one that is being built, until it has caught up with the logs, and makes it
// live. It may be ended at any time and run again.
func Run(ctx context.Context, o Options) (*Report, error) {
	live, err := o.Store.LiveGeneration(ctx)
	if err != nil {
		return nil, err
	}
	n, resumed, err := o.choose(ctx)
	if err != nil {
		return nil, err
	}
	r := &Report{Generation: n, Was: live}
	before, err := readLogs(ctx, o.Admin, Group(o.Pipeline.Group, live), o.Pipeline.TopicNames())
	if err != nil {
		return nil, err
	}
	if !resumed {
		if err := o.complete(ctx, before, live); err != nil {
			return nil, err
		}
		if err := o.Store.MarkGeneration(ctx, n, clickhouse.Building, o.Pipeline.Program.Hash); err != nil {
			return nil, err
		}
	}
	o.Begun(n, resumed)
	cfg := o.Pipeline
	store := o.Store.OfGeneration(n)
	cfg.Store, cfg.Group = store, Group(cfg.Group, n)
	cfg.InstanceID = "" // so that the group moves on at once when this member leaves
	cfg.LettersFrom = before.lettersFrom()
	if cfg.Forgotten, err = o.Forgotten(ctx); err != nil {
		return nil, err
	}
	p, err := pipeline.New(cfg)
	if err != nil {
		return nil, err
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	group, work := errgroup.WithContext(work)
	group.Go(func() error { return p.Run(work) })
	group.Go(func() error { p.Observe(work, store); return nil })
	group.Go(func() error { return o.remember(work, cfg.Forgotten.Len()) })
	group.Go(func() error {
		defer stop()
		if err := o.catchUp(work, p, cfg.Group, n); err != nil || o.NoSwitch {
			return err
		}
		return o.goLive(work, store, r, cfg.Group, before.sources())
	})
	err = group.Wait()
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return r, err
}

// remember ends the rebuild once somebody more is forgotten than its pipeline knows of.
func (o *Options) remember(ctx context.Context, known int) error {
	for wait(ctx, lookEvery) {
		list, err := o.Forgotten(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			o.Pipeline.Log.Warn("who is forgotten could not be found out", zap.Error(err))
		case err == nil && list.Len() != known:
			return errors.New("somebody was forgotten meanwhile: run tidemark rebuild again, it goes on where it was, without them")
		}
	}
	return nil
}

// choose returns the generation that is being built, or a new one.
func (o *Options) choose(ctx context.Context) (n uint16, resumed bool, err error) {
	all, err := o.Store.Generations(ctx)
	if err != nil {
		return 0, false, err
	}
	for _, g := range all {
		n = max(n, g.Number)
		if g.State != clickhouse.Building {
			continue
		}
		if g.Catalogue != o.Pipeline.Program.Hash {
			return 0, false, fmt.Errorf("generation %d is being built with another catalogue (hash %s, not %s): go on with that catalogue, or take the generation away with tidemark rebuild drop %[1]d",
				g.Number, g.Catalogue, o.Pipeline.Program.Hash)
		}
		return g.Number, true, nil
	}
	if o.Resume {
		return 0, false, errors.New("no generation is being built; tidemark rebuild begins one")
	}
	for { // past the groups of generations that a lost ClickHouse had
		n++
		commits, err := o.Admin.FetchOffsets(ctx, Group(o.Pipeline.Group, n))
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return 0, false, fmt.Errorf("look for commits of the group %s: %w", Group(o.Pipeline.Group, n), err)
		}
		if len(commits) == 0 {
			return n, false, nil
		}
	}
}

// complete refuses logs whose beginning is gone, unless that was accepted.
func (o *Options) complete(ctx context.Context, l logs, live uint16) error {
	gone, from, err := l.missing(ctx, o.Admin)
	if err != nil {
		return err
	}
	old, err := o.Store.OfGeneration(live).Sources(ctx)
	if err != nil {
		return err
	}
	for _, source := range old {
		if !slices.Contains(l.sources(), source) {
			gone = append(gone, source+", of which there are rows, is no more")
		}
	}
	if len(gone) == 0 {
		return nil
	}
	since := ""
	if !from.IsZero() {
		since = fmt.Sprintf(" The new generation would have everything that came from %s on.", from.Format(time.RFC3339))
	}
	if o.FromWhatIsLeft {
		o.Pipeline.Log.Warn("rebuilding from what is left of the logs"+since, zap.Strings("gone", gone))
		return nil
	}
	return fmt.Errorf("the logs no longer hold everything that the rollups were computed from: %s.%s Accept that with --from-what-is-left", strings.Join(gone, "; "), since)
}

// lettersFrom returns where the live generation's commits were: before, the topic has the dead letters already.
func (l logs) lettersFrom() func(string, int32) int64 {
	committed := map[string]map[int32]int64{}
	for _, s := range l {
		if committed[s.id.Topic] == nil {
			committed[s.id.Topic] = map[int32]int64{}
		}
		committed[s.id.Topic][s.id.Partition] = s.committed
	}
	return func(topic string, partition int32) int64 { return committed[topic][partition] }
}

// catchUp waits until the generation is close behind the ends of the logs.
func (o *Options) catchUp(ctx context.Context, p *pipeline.Pipeline, group string, n uint16) error {
	var earlier logs
	var since time.Time
	for {
		for _, s := range p.Status() {
			if s.Stopped != "" {
				return fmt.Errorf("%w: %s", ErrStopped, s.Stopped)
			}
		}
		now, err := readLogs(ctx, o.Admin, group, o.Pipeline.TopicNames())
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			o.Pipeline.Log.Warn("progress not measured", zap.Error(err))
		default:
			done, total := now.progress()
			o.Progress(Progress{n, done, total})
			if earlier == nil || now.reached(earlier) {
				if earlier != nil && time.Since(since) < closeBehind {
					return nil
				}
				earlier, since = now, time.Now()
			}
		}
		if !wait(ctx, measureEvery) {
			return nil
		}
	}
}

// goLive switches, and keeps the generation fresh until a running pipeline has taken it over.
func (o *Options) goLive(ctx context.Context, store *clickhouse.Client, r *Report, group string, sources []string) error {
	deadline := time.Now().Add(switchPatience)
	for !r.Switched {
		switched, err := store.SwitchTo(ctx, o.Pipeline.Program.Hash, r.Was, sources)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			o.Pipeline.Log.Warn("not switched yet", zap.Error(err))
		case switched:
			r.Switched = true
			continue
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("for %s generation %d was always ahead of the new one in some source, so that a switch would take numbers back: "+
				"see what holds the rebuild up, or stop the running pipelines, and run tidemark rebuild switch", switchPatience, r.Was)
		}
		wait(ctx, switchEvery)
	}
	err := o.Switched(ctx)
	deadline = time.Now().Add(handover)
	for time.Now().Before(deadline) && wait(ctx, measureEvery) {
		groups, e := o.Admin.DescribeGroups(ctx, group)
		if e == nil && len(groups[group].Members) > 1 {
			r.TakenOver = true
			break
		}
	}
	return err
}
