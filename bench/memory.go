package main

import (
	"fmt"
	"runtime"
	"time"

	"tidemark/pipeline/decode"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
)

const (
	measuredAccounts = 20_000
	measuredUsers    = 20
)

// windowBytes measures what an open window of an account takes in memory: its counters and a set of 20 users, averaged
// over the three tiers, and with its share of the account's own.
func windowBytes() (float64, error) {
	catalogue, err := schemas.Builtin()
	if err != nil {
		return 0, err
	}
	program, err := schemas.Compile(catalogue)
	if err != nil {
		return 0, err
	}
	before := heap()
	core := worker.NewCore(worker.Spec{
		Source: "telemetry/0@bench", Program: program, Limits: decode.Limits{MaxFuture: time.Minute, MaxAge: time.Hour},
		Retention: [3]time.Duration{time.Hour, time.Hour, time.Hour}, DedupRecords: 1, MaxFeatures: 1000,
	}, 0)
	offset := uint64(0)
	for account := range measuredAccounts {
		for user := range measuredUsers {
			value := fmt.Appendf(nil, `{"type":"track","event":"Feature Used","userId":"user-%d","context":{"groupId":"acct-%06d"}}`, user, account)
			if v, _ := core.Step(&worker.Record{Offset: offset, Time: 1_790_000_000_000, Value: value}); v != worker.Applied {
				return 0, fmt.Errorf("measure memory: verdict %d", v)
			}
			if offset++; offset%10_000 == 0 {
				core.Take() // the rows to write are not the state's
			}
		}
	}
	core.Take()
	used := heap() - before
	windows := core.Windows()
	runtime.KeepAlive(core)
	return float64(used) / float64(windows), nil
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // positive
}
