package main

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/pipeline/decode"
	"tidemark/pipeline/dedup"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

// flushEvery is how many records of one source come between two flushes when eight catch up.
const flushEvery = 10_000

// onePartition returns the first n records of one of the eight partitions of the default topic.
func onePartition(b *testing.B, n int) []worker.Record {
	b.Helper()
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(-14 * time.Hour)
	g := newGenerator(shape{
		Events: 250_000, Accounts: 250, Users: 20, Features: 12, Minutes: 45, Active: 1.0 / 3, Late: 0.01, Duplicates: 0.01, Seed: 1,
	}, start)
	var records []worker.Record
	for m, ok := g.next(); ok && len(records) < n; m, ok = g.next() {
		records = append(records, worker.Record{Offset: uint64(len(records)), Time: start.UnixMilli(), Key: m.key, Value: m.value})
	}
	return records
}

func testSpec(b *testing.B) worker.Spec {
	b.Helper()
	catalogue, err := schemas.Builtin()
	require.NoError(b, err)
	program, err := schemas.Compile(catalogue)
	require.NoError(b, err)
	return worker.Spec{
		Source: "telemetry/0@bbbbbbbbbbbbbbbbbbbbbb", Program: program,
		Limits:    decode.Limits{MaxFuture: 10 * time.Minute, MaxAge: 43800 * time.Hour},
		Retention: [3]time.Duration{336 * time.Hour, 9600 * time.Hour, 43800 * time.Hour}, Disorder: 5 * time.Minute, DedupRecords: 131072, MaxFeatures: 1000,
	}
}

// perEvent reports the process's CPU time an event: on a shared machine the time on the wall says little.
func perEvent(b *testing.B, events int) (done func()) {
	b.Helper()
	before := cpuTime()
	return func() { b.ReportMetric(float64(cpuTime()-before)/float64(events), "cpu-ns/event") }
}

func cpuTime() time.Duration {
	var self syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &self) // cannot fail
	return time.Duration(self.Utime.Nano() + self.Stime.Nano())
}

func BenchmarkDecode(b *testing.B) {
	records := onePartition(b, 20_000)
	spec := testSpec(b)
	d := decode.NewTelemetry(spec.Program, spec.Limits)
	var ev decode.Event
	b.ReportAllocs()
	b.ResetTimer()
	done := perEvent(b, b.N)
	for i := range b.N {
		r := &records[i%len(records)]
		if rej := d.Decode(r.Value, r.Time, &ev); rej != nil {
			b.Fatal(rej)
		}
	}
	done()
}

func BenchmarkDuplicateFilter(b *testing.B) {
	f := dedup.New(131072)
	id := uint64(1)
	b.ReportAllocs()
	done := perEvent(b, b.N)
	for i := range b.N {
		id = id*6364136223846793005 + 1442695040888963407
		f.Repeats(int64(i), id)
	}
	done()
}

// BenchmarkCore steps the logs of eight sources, which take turns of a fetched batch, and takes what each has changed every
// flushEvery records. All have the same log.
func BenchmarkCore(b *testing.B) {
	const batch = 2500
	records := onePartition(b, 250_000)
	spec := testSpec(b)
	b.ReportAllocs()
	b.ResetTimer()
	done := perEvent(b, b.N)
	var cores [8]*worker.Core
	rows := 0
	for i := 0; i < b.N; i += batch {
		turn, at := i/batch%len(cores), i/batch/len(cores)*batch%len(records)
		if at == 0 {
			cores[turn] = worker.NewCore(spec, 0)
		}
		core := cores[turn]
		for j := at; j < at+batch; j++ {
			if v, _ := core.Step(&records[j]); v > worker.Filtered {
				b.Fatalf("record %d: verdict %d", j, v)
			}
		}
		if (at+batch)%flushEvery == 0 {
			f := core.Take()
			rows += f.Rows.Rows()
			core.Written(f, 1<<20)
		}
	}
	done()
	b.ReportMetric(float64(rows)/float64(b.N), "rows/event")
}

// BenchmarkWrite writes what eight sources flush together to a real ClickHouse.
func BenchmarkWrite(b *testing.B) {
	server := chtest.Start(b)
	services := &services{server: server}
	db, err := services.database(b.Context(), devclickhouse.Database+"_write", "telemetry")
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.settle(context.Background())) })
	records := onePartition(b, 250_000)
	core := worker.NewCore(testSpec(b), 0)
	var flushes []*clickhouse.Batch
	for i := range records {
		if v, rej := core.Step(&records[i]); v == worker.Blocked {
			b.Fatal("blocked without history", rej)
		}
		if i%(8*flushEvery) == 8*flushEvery-1 {
			flushes = append(flushes, core.Take().Rows)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	rows, own, theirs := 0, cpuTime(), processTime(server.PID())
	for i := range b.N {
		batch := flushes[i%len(flushes)]
		require.NoError(b, db.store.Write(b.Context(), batch))
		rows += batch.Rows()
	}
	b.ReportMetric(float64(cpuTime()-own)/float64(rows), "cpu-ns/row")
	b.ReportMetric((processTime(server.PID())-theirs)*1e9/float64(rows), "clickhouse-cpu-ns/row")
	b.ReportMetric(float64(rows)/float64(b.N), "rows/op")
}
