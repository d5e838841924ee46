package pipeline

import (
	"context"
	"time"

	"go.uber.org/zap"

	"tidemark/sinks/clickhouse"
)

// accountEvery is how often the checkpoints are compared with each other.
const accountEvery = time.Minute

// Account compares the checkpoints of all sources with each other until ctx ends, for the metric that pages.
func (p *Pipeline) Account(ctx context.Context, store *clickhouse.Client) {
	ticker := time.NewTicker(accountEvery)
	defer ticker.Stop()
	known := map[clickhouse.Violation]bool{}
	for {
		p.account(ctx, store, known)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *Pipeline) account(ctx context.Context, store *clickhouse.Client, known map[clickhouse.Violation]bool) {
	bounded, cancel := context.WithTimeout(ctx, accountEvery)
	defer cancel()
	found, err := store.Violations(bounded)
	if err != nil {
		if ctx.Err() == nil {
			p.cfg.Log.Warn("checkpoints not compared", zap.Error(err))
		}
		return
	}
	p.cfg.Metrics.Violations.Set(float64(len(found)))
	for _, v := range found {
		if !known[v] {
			known[v] = true
			p.cfg.Log.Error("checkpoints do not add up: see docs/runbooks/accounting.md",
				zap.String("source", v.Source), zap.Uint64("from", v.From), zap.Uint64("to", v.To), zap.String("violation", v.What))
		}
	}
}
