package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"tidemark/bench/figures"
	"tidemark/pipeline/decode"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
)

// measuredUsers is how many users each account has whose open windows are measured.
const measuredUsers = 20

// measureMemory measures what an open window of an account takes in memory: its counters and a set of 20 users, averaged over
// the three tiers, and with its share of the account's own. Users come one after another, as in a topic: each is once in every account
// before the next is in any.
func (b *bench) measureMemory(ctx context.Context) error {
	catalogue, err := schemas.Builtin()
	if err != nil {
		return err
	}
	program, err := schemas.Compile(catalogue)
	if err != nil {
		return err
	}
	before, residentBefore := heap(), resident(os.Getpid())
	core := worker.NewCore(worker.Spec{
		Source: "telemetry/0@bench", Program: program, Limits: decode.Limits{MaxFuture: time.Minute, MaxAge: time.Hour},
		Retention: [3]time.Duration{time.Hour, time.Hour, time.Hour}, DedupRecords: 1, MaxFeatures: 1000,
	}, 0)
	offset := uint64(0)
	var value []byte
	for user := range measuredUsers {
		for account := range b.Windows {
			value = fmt.Appendf(value[:0], `{"type":"track","event":"Feature Used","userId":"user-%d-%d","context":{"groupId":"acct-%07d"}}`, account, user, account)
			if v, _ := core.Step(&worker.Record{Offset: offset, Time: 1_790_000_000_000, Value: value}); v != worker.Applied {
				return fmt.Errorf("verdict %d", v)
			}
			if offset++; offset%10_000 == 0 {
				core.Take() // the rows to write are not the state's
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
		}
	}
	core.Take()
	used, residentAfter := heap()-before, resident(os.Getpid())
	windows := float64(core.Windows())
	runtime.KeepAlive(core)
	if windows < 3*float64(b.Windows) {
		return fmt.Errorf("%.0f windows are open, should be three of each of %d accounts", windows, b.Windows)
	}
	s := b.section(fmt.Sprintf("%d accounts with %d users each, every one with a window open in each of the three tiers, in one source.", b.Windows, measuredUsers))
	s.Add("window_bytes", "heap an open account-window (counters, 20 users)", "B", figures.AtMost(400), float64(used)/windows)
	s.Add("resident_bytes", "the same by the process's resident memory, with what the collector has not returned", "B", nil, (residentAfter-residentBefore)/windows)
	s.Add("windows", "open windows", "", nil, windows)
	b.keep("memory", s)
	return nil
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
