package simulate

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/recount"
)

// TestTruthIsWhatARecountFinds holds the generator to its word: what it meant
// is what an independent reader of the log counts.
func TestTruthIsWhatARecountFinds(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			client := newProducer(t, c)
			ctx := testContext(t)
			plan := Plan{Seed: seed, Accounts: 10, Start: time.Now(), History: day(2)}
			g, err := NewGenerator(plan)
			require.NoError(t, err)
			truth, collector := NewTruth(plan), newStandIn()
			end := uint64(1) << 62
			for {
				m, ok := g.Next()
				if !ok {
					_, err := g.Resume(time.Now(), 2000)
					require.NoError(t, err)
					end = g.Seq() + 3000
					continue
				}
				truth.Add(m)
				for _, r := range collector.recordsOf(t, m) {
					client.Produce(ctx, r, func(_ *kgo.Record, err error) {
						if err != nil {
							t.Error(err)
						}
					})
				}
				if g.Seq() == end {
					break
				}
			}
			require.NoError(t, client.Flush(ctx))
			result, err := recount.Count(ctx, recount.Options{Brokers: c.ListenAddrs(), Telemetry: topics.Telemetry,
				Tickets: topics.Tickets, Accounts: topics.Accounts, Signals: topics.Signals})
			require.NoError(t, err)
			require.Empty(t, recount.Diff(truth.Cells(), cellsOf(result)))
			requireVerdicts(t, truth, result, uint64(collector.records))
			requireFigures(t, truth, result)
			signals := map[recount.Cell]uint64{}
			for k := range result.Facts {
				if k.Kind != "workflow" && k.Kind != "ticket" {
					signals[factCell(k.Account, recount.Day.Window(k.At), k.Kind, k.Name, "")]++
				}
			}
			require.Equal(t, truth.signals, signals)
			for _, id := range truth.Accounts() {
				require.Subset(t, result.AccountAsOf(id, time.Now().Add(time.Hour).UnixMilli()), truth.Account(id), id)
			}
			require.Equal(t, truth.OpenTickets(), result.Backlog(time.Now().Add(time.Hour).UnixMilli()))
			t.Logf("%d messages: %d applied, %d filtered, %d duplicates, %v, %d parked", truth.Messages, truth.Applied,
				truth.Filtered, truth.Duplicates, truth.DeadLetters, truth.Parked())
		})
	}
}

// cellsOf is the recount as the truth's cells.
func cellsOf(r *recount.Result) map[recount.Cell]string {
	sums := map[recount.Cell]uint64{}
	for k, n := range r.Counters {
		if k.Tier != recount.Minute {
			sums[recount.Cell{Table: "counters", Account: k.Account, Tier: k.Tier, Window: k.Window, Metric: k.Metric, Feature: k.Feature}] += n
		}
	}
	type member struct {
		cell recount.Cell
		hash uint64
	}
	seen := map[member]bool{}
	for k := range r.Members {
		cell := recount.Cell{Table: "members", Account: k.Account, Tier: k.Tier, Window: k.Window, Metric: k.Metric, Feature: k.Feature}
		if k.Tier != recount.Minute && !seen[member{cell, k.Member}] {
			seen[member{cell, k.Member}] = true
			sums[cell]++
		}
	}
	cells := map[recount.Cell]string{}
	for cell, n := range sums {
		cells[cell] = fmt.Sprint(n)
	}
	for k, span := range r.UserMinutes {
		cell := recount.Cell{Table: "user_minutes", Account: k.Account, Window: k.Minute, Entity: fmt.Sprintf("%016x", k.User)}
		cells[cell] = fmt.Sprintf("%d..%d", span.First, span.Last) // an account has one source here
	}
	return cells
}

func requireVerdicts(t *testing.T, truth *Truth, r *recount.Result, written uint64) {
	t.Helper()
	var sum recount.Verdicts
	for _, v := range r.Sources {
		sum.Applied += v.Applied
		sum.Filtered += v.Filtered
		sum.Duplicate += v.Duplicate
	}
	require.Equal(t, []uint64{truth.Applied + written, truth.Filtered, truth.Duplicates},
		[]uint64{sum.Applied, sum.Filtered, sum.Duplicate})
	dead := map[string]uint64{}
	for _, reason := range r.DeadLetters {
		dead[reason]++
	}
	require.Equal(t, truth.DeadLetters, dead)
}

func requireFigures(t *testing.T, truth *Truth, r *recount.Result) {
	t.Helper()
	want, got := truth.Figures(), map[recount.WindowKey]Figures{}
	for key, use := range r.Use() {
		f := got[key]
		f.Sessions, f.SessionMS, f.ActiveMS = use.Sessions, use.SessionMS, use.ActiveMS
		got[key] = f
	}
	for key, runs := range r.RunCounts(0) {
		f := got[key.WindowKey]
		f.Started, f.Completed, f.TaskMS = runs.Started, runs.Completed, runs.TaskMS
		got[key.WindowKey] = f
	}
	for key, counts := range r.TicketCounts() {
		f := got[key]
		f.Opened, f.Solved, f.Reopened, f.Escalated = counts.Opened, counts.Solved, counts.Reopened, counts.Escalated
		got[key] = f
	}
	for _, ticket := range r.Tickets() {
		for _, tier := range tiers {
			key := recount.WindowKey{Tier: tier, Account: ticket.Account, Window: tier.Window(ticket.Opened)}
			f := got[key]
			if ticket.Opened != 0 && ticket.FirstReply != 0 {
				f.FirstReplies++
				f.FirstReplyMS += ticket.FirstReply - ticket.Opened
			}
			if solved := ticket.Solved(); ticket.Opened != 0 && solved != 0 {
				f.Resolutions++
				f.ResolutionMS += solved - ticket.Opened
			}
			got[key] = f
		}
	}
	for key, f := range got {
		if key.Tier == recount.Minute || f == (Figures{}) {
			delete(got, key)
		}
	}
	require.Equal(t, want, got)
}
