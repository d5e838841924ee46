package worker

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

const (
	// ahead is how many records are looked at together for what has to be loaded.
	ahead = 5000
	// loadTimeout bounds one load.
	loadTimeout = 60 * time.Second
)

// load loads what the records ahead need, trying until ClickHouse answers.
func (w *Worker) load(ctx context.Context, records []*kgo.Record) error {
	var needs Needs
	for _, r := range records {
		rec := record(r)
		w.core.Look(&rec, &needs)
	}
	w.Metrics.Loads.Add(float64(len(needs.Windows) + len(needs.Users)))
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		err := w.loadOnce(ctx, &needs)
		if err == nil || ctx.Err() != nil {
			return err
		}
		w.log.Error("load failed; trying again", zap.Error(err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (w *Worker) loadOnce(ctx context.Context, needs *Needs) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	rows, err := w.store.WindowCounters(ctx, w.spec.Source, needs.Windows)
	if err != nil {
		return err
	}
	accounts, err := w.store.UserAccounts(ctx, w.spec.Source, needs.Users, w.core.Position())
	if err != nil {
		return err
	}
	w.core.Install(needs, rows, accounts)
	return nil
}
