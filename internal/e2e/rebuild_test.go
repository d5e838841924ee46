package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devkafka"
	"tidemark/internal/recount"
	"tidemark/schemas"
)

// again is a metric that counts what page_views counts, so that every window shows by itself whether it was counted from
// the beginning.
const again = `
metrics:
  - name: views_again
    view: usage
    match: {type: [page, screen]}
    aggregate: count
    unit: views
    description: Page and screen views, once more.
    decision: none
    owner: me
`

// witness reads all the time, and remembers what no reader may see.
type witness struct {
	mu              sync.Mutex
	reads, complete int  // looks, and those at which the new metric was there
	behind          bool // the new generation lacks some of what the old one had shown
	wrong           []string
}

// watch looks until ctx ends.
func (w *witness) watch(ctx context.Context, conn driver.Conn) error {
	var most uint64
	for ctx.Err() == nil {
		var views, again, partly uint64
		err := conn.QueryRow(ctx, `SELECT sum(views), sum(again), countIf(again != views) FROM (
			SELECT maxIf(value, metric = 'page_views') AS views, maxIf(value, metric = 'views_again') AS again
			FROM counters WHERE tier = 'day' AND feature = '' GROUP BY account_id, window_start, source)`).Scan(&views, &again, &partly)
		if err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // told to end
			}
			return err
		}
		w.saw(views, most, again, partly)
		most = max(most, views)
	}
	return nil
}

// saw judges a look: views is what it showed of what had been as many as most.
func (w *witness) saw(views, most, again, partly uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	if again > 0 { // only the new generation has it
		w.complete++
	}
	lack := most - min(views, most)
	// What the old generation wrote while the switch was decided may be lacking, once, until the new one has folded it.
	w.behind = lack > 0 && (w.behind || w.complete == 1)
	switch {
	case lack > 0 && !w.behind:
		w.wrong = append(w.wrong, fmt.Sprintf("%d views fewer than before, of %d", lack, most))
	case lack > most/4: // seconds of the traffic
		w.wrong = append(w.wrong, fmt.Sprintf("at the switch %d views fewer than before, of %d", lack, most))
	}
	if again > 0 && partly > 0 {
		w.wrong = append(w.wrong, "windows in which the new metric is not complete")
	}
}

// looked returns how often it has looked, and how often at the new generation once nothing of it was behind.
func (w *witness) looked() (reads, complete int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.behind {
		return w.reads, 0
	}
	return w.reads, w.complete
}

// TestRebuild adds a metric to the catalogue and computes it for all of the past, while events keep coming, the rebuild is
// killed in the middle, and somebody reads all the time.
func TestRebuild(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	broker, err := devkafka.Start(ctx, devkafka.Options{DataDir: t.TempDir(), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	s := newStage(t, broker.Addrs())
	file := filepath.Join(t.TempDir(), "catalogue.yaml")
	catalogue := func(text string) {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		c, err := schemas.Load(file)
		require.NoError(t, err)
		s.Rules = recount.RulesOf(c)
	}
	catalogue("metrics: []\n")
	s.Env = append(s.Env, "TIDEMARK_PIPELINE_CATALOGUE="+file)
	pipeline := s.Pipeline(Binary(t, ""), "pipeline")
	g := NewTraffic(s.Brokers, 5)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	require.NoError(t, g.Send(ctx, 20_000))
	s.Settle(ctx, pipeline)

	reader := s.DB.Open(t, devclickhouse.Reader)
	var saw witness
	var background sync.WaitGroup
	busy, calm := context.WithCancel(ctx)
	var sent, watched error
	background.Go(func() { watched = saw.watch(busy, reader) })
	background.Go(func() {
		for busy.Err() == nil && sent == nil {
			if sent = g.Send(context.WithoutCancel(ctx), 50); sent == nil {
				select {
				case <-busy.Done():
				case <-time.After(100 * time.Millisecond):
				}
			}
		}
	})
	stop := sync.OnceFunc(func() { calm(); background.Wait() })
	defer stop()

	require.Eventually(t, func() bool { reads, _ := saw.looked(); return reads > 0 }, 5*time.Minute, time.Millisecond)
	catalogue(again)
	// It would switch before it is killed if this process were to sleep meanwhile.
	first := Start(t, Binary(t, ""), "rebuild 1", s.Env, "rebuild", "--no-switch")
	require.Eventually(t, func() bool { // killed as soon as it has written something
		var n uint64
		require.NoError(t, reader.QueryRow(ctx, "SELECT count() FROM counters_all WHERE generation = 1").Scan(&n))
		return n > 0
	}, 5*time.Minute, time.Millisecond)
	first.Kill()
	var state string
	require.NoError(t, reader.QueryRow(ctx, "SELECT toString(argMax(state, at)) FROM generations WHERE generation = 1").Scan(&state))
	require.Equal(t, "building", state, "it was killed in the middle")

	second := Start(t, Binary(t, ""), "rebuild 2", s.Env, "rebuild")
	select {
	case <-second.Done:
	case <-ctx.Done():
		require.Fail(t, "the rebuild does not end")
	}
	require.NoError(t, second.Err)
	said := second.Log(t)
	require.Contains(t, said, "Going on with generation 1 ")
	require.Contains(t, said, "Generation 1 is live; generation 0 is kept.")
	require.NotContains(t, said, "No running pipeline has taken over")
	pipeline.Says(t, "(another generation went live)")
	require.Eventually(t, func() bool {
		reads, complete := saw.looked()
		return reads > 20 && complete > 2
	}, 5*time.Minute, 50*time.Millisecond, "the new generation is not read, or lacks what was there")
	stop()
	require.NoError(t, sent)
	require.NoError(t, watched)
	require.Empty(t, saw.wrong)
	s.Group = "tidemark-g1"
	s.Settle(ctx, pipeline)
	s.Verify(ctx)
	var views uint64
	require.NoError(t, reader.QueryRow(ctx, "SELECT sum(views_again) FROM usage_day").Scan(&views), "the views are those of the new catalogue")
	require.NotZero(t, views)

	// Back: the pipeline waits for the old catalogue, and then catches up.
	require.NoError(t, g.Send(ctx, 1000))
	back := Start(t, Binary(t, ""), "back", s.Env, "rebuild", "back")
	<-back.Done
	require.NoError(t, back.Err)
	require.Contains(t, back.Log(t), "It was computed with another catalogue")
	pipeline.Says(t, `pipeline.catalogue is still that of generation 1`)
	catalogue("metrics: []\n")
	s.Group = "tidemark"
	s.Settle(ctx, pipeline)
	s.Verify(ctx)
	drop := Start(t, Binary(t, ""), "drop", s.Env, "rebuild", "drop", "0")
	<-drop.Done
	require.Error(t, drop.Err)
	require.Contains(t, drop.Log(t), "generation 0 is live")
	pipeline.Terminate(t)
}
