package triggers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tidemark/pipeline/forgotten"
	"tidemark/schemas"
	"tidemark/schemas/rules"
	sink "tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/views"
)

// Config says what is judged, and how often.
type Config struct {
	Client    *sink.Client // of the writer
	Catalogue *schemas.Catalogue
	Views     views.Options // as the views were made
	Rules     []*rules.Rule
	Tick      time.Duration    // accounts that changed
	Slow      time.Duration    // the same, for rules that read views
	Sweep     time.Duration    // every account
	Link      string           // in every alert; {account}, {rule} and {alert} are replaced
	Forgotten *forgotten.Watch // of whom nothing is told any more; nil: of nobody
	Notify    func()           // called after transitions were stored
	Now       func() time.Time
	Metrics   prometheus.Registerer
	Log       *zap.Logger
}

// Engine judges rules. One process at a time does: see Lead.
type Engine struct {
	Config
	programs []*program
	inputs   []input
	reader   *Reader
	metrics  *metrics
}

// New compiles what the rules read.
func New(c Config) (*Engine, error) {
	programs, inputs, err := compile(c.Catalogue, c.Rules)
	if err != nil {
		return nil, err
	}
	reader, err := newReader(c.Client, c.Catalogue, c.Views, inputs)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Notify == nil {
		c.Notify = func() {}
	}
	return &Engine{Config: c, programs: programs, inputs: inputs, reader: reader, metrics: newMetrics(c.Metrics)}, nil
}

// Judge takes over, loads the states, and judges at every tick until ctx ends or another process takes over. What fails is
// tried again at the next tick.
func (e *Engine) Judge(ctx context.Context) error {
	r, err := e.reignWhenPossible(ctx)
	if err != nil || r == nil {
		return err
	}
	e.metrics.leader.Set(1)
	defer e.metrics.leader.Set(0)
	defer r.slowDone() // nothing outlives the reign
	e.Log.Info("this process evaluates the rules", zap.Int("rules", len(e.programs)), zap.Int("accounts", len(r.since)), zap.Int("states", r.size()))
	ticker := time.NewTicker(e.Tick)
	defer ticker.Stop()
	for {
		began := time.Now()
		err := r.tick(ctx)
		e.metrics.tick.Observe(time.Since(began).Seconds())
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrDeposed):
			return err
		case err != nil:
			e.metrics.failures.WithLabelValues("tick").Inc()
			e.Log.Warn("a tick failed; it is tried again", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// reignWhenPossible begins a reign as soon as ClickHouse lets it; nil: ctx ended before.
func (e *Engine) reignWhenPossible(ctx context.Context) (*reign, error) {
	for {
		r, err := e.reign(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, nil //nolint:nilnil // told to end
		case err == nil || errors.Is(err, ErrDeposed):
			return r, err
		}
		e.metrics.failures.WithLabelValues("start").Inc()
		e.Log.Warn("cannot begin to evaluate the rules; trying again until it works", zap.Error(err))
		select {
		case <-ctx.Done():
		case <-time.After(max(e.Tick, time.Second)):
		}
	}
}

// reign begins one.
func (e *Engine) reign(ctx context.Context) (*reign, error) {
	store, err := TakeOver(ctx, e.Client)
	if err != nil {
		return nil, err
	}
	r := &reign{
		Engine: e, store: store, states: make([]map[string]State, len(e.programs)),
		dirty: map[string]bool{}, perhaps: map[string]bool{}, slowDirty: map[string]bool{}, stale: map[string]bool{}, memory: newMemory(), boundary: make([]time.Time, len(e.programs)), slowReady: make(chan slowResult, 1),
	}
	generation, err := e.Client.LiveGeneration(ctx)
	if err != nil {
		return nil, err
	}
	r.sweeping = sweep{due: map[*program]bool{}, part: leastPart}
	if err := r.change(ctx, generation); err != nil { // before everything is judged once
		return nil, err
	}
	loaded, err := store.load(ctx)
	if err != nil {
		return nil, err
	}
	e.metrics.firing.Reset()
	for i, p := range e.programs {
		r.states[i] = map[string]State{}
		e.metrics.firing.WithLabelValues(p.Name).Set(0)
		for k, s := range loaded {
			if k.rule == p.Name {
				r.states[i][k.account] = s
				r.schedule(i, k.account, s)
				if s.Active() {
					e.metrics.firing.WithLabelValues(p.Name).Inc()
				}
				delete(loaded, k)
			}
		}
	}
	return r, r.endOrphans(ctx, loaded)
}

// endOrphans resolves what rules that there are no more have left firing.
func (r *reign) endOrphans(ctx context.Context, states map[key]State) error {
	var out outcome
	for k, s := range states {
		if !s.Active() || r.Forgotten.Account(k.account) {
			continue
		}
		gone := &program{Rule: &rules.Rule{Name: k.rule, Description: "The rule was removed.", Severity: rules.Info}, index: -1}
		o := Observation{Account: k.account, At: r.Now(), Final: true, Holds: False}
		next, told := Step(gone.Rule, s, o)
		next.Version = s.Version + 1
		out.add(change{program: gone, account: k.account, state: next, told: told, evidence: &evidence{}})
	}
	return r.commit(ctx, out, r.Now())
}

// roles are what the topics are for, by their names.
func (e *Engine) roles() map[string]string {
	t := e.Views.Topics
	return map[string]string{t.Telemetry.Name: "telemetry", t.Tickets.Name: "tickets", t.Accounts.Name: "accounts", t.Signals.Name: "signals"}
}

// completeness is up to when each topic's windows are complete, by the topic's role.
func (e *Engine) completeness(ctx context.Context) (map[string]time.Time, error) {
	roles := e.roles()
	out := map[string]time.Time{}
	err := sink.Each(e.Client.LoadContext(ctx), e.Client.Conn(), "SELECT topic, complete_to FROM completeness", func(rows driver.Rows) error {
		var topic string
		var at time.Time
		err := rows.Scan(&topic, &at)
		if role, ok := roles[topic]; ok {
			out[role] = at
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read up to when topics are complete: %w", err)
	}
	return out, nil
}
