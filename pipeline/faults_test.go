//go:build synctests

package pipeline_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// trial is what came of one seed. It stands in for a testing.T, so that what is wrong with a build that is broken on
// purpose fails no test.
type trial struct {
	seed                 uint64
	wrong                []string
	counts               map[string]int // faults by kind
	rows, records, loads int
}

// Errorf notes what is wrong.
func (t *trial) Errorf(format string, args ...any) {
	t.wrong = append(t.wrong, fmt.Sprintf(format, args...))
}

// FailNow ends the goroutine.
func (t *trial) FailNow() { runtime.Goexit() }

// failure says what was wrong and how to see it again.
func (t *trial) failure() string {
	return fmt.Sprintf("seed %d: %s\n%s", t.seed, strings.Join(t.wrong, "\n"), t.replay())
}

func (t *trial) replay() string {
	return fmt.Sprintf("replay: TEST_SEED=%d go test -tags synctests -count=1 ./pipeline -run 'TestEveryFaultAtOnce$'", t.seed)
}

// realTimeout bounds a seed in real time. It takes a fraction of a second, but a machine may be suspended meanwhile, or busy.
const realTimeout = 10 * time.Minute

// sound is the pipeline as it is.
func sound(*world) build { return build{} }

// play plays a seed with a build in a world of its own; run is what happens in it.
func play(t *testing.T, seed uint64, b func(*world) build, run func(*simulation)) *trial {
	result := &trial{seed: seed, counts: map[string]int{}}
	hangs := time.AfterFunc(realTimeout, func() { // outside the bubble, so in real time
		panic(fmt.Sprintf("seed %d comes to no end: time stands still, or everybody is busy waiting\n%s", seed, result.replay()))
	})
	defer hangs.Stop()
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		var w *world
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() { // which FailNow may end
			defer close(done)
			w = newWorld(ctx, result, seed, nodes) //nolint:testifylint // its FailNow ends this goroutine alone, as it should
			w.build = b(w)
			run(&simulation{world: w, trial: result, draws: rand.New(rand.NewPCG(seed, 0))})
		}()
		<-done
		w.close()
	})
	return result
}

// totals sums trials up.
type totals struct {
	mu                          sync.Mutex
	seeds, rows, records, loads int
	counts                      map[string]int
}

func (f *totals) add(t *trial) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seeds++
	f.rows += t.rows
	f.records += t.records
	f.loads += t.loads
	for what, n := range t.counts {
		f.counts[what] += n
	}
}

// String returns the figures as make test-faults ends with.
func (f *totals) String() string {
	out := fmt.Sprintf("seeds run %d, records %d, rows compared %d, windows loaded %d, differences 0; by kind:", f.seeds, f.records, f.rows, f.loads)
	for _, what := range slices.Sorted(maps.Keys(f.counts)) {
		out += fmt.Sprintf("\n%9d  %s", f.counts[what], what)
	}
	return out
}

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

// TestEveryFaultAtOnce plays random faults in virtual time, by seed, on all processors: members come, go, crash, are paused
// and cut off for longer than their session, so that they write beside their successors; brokers fail over; partitions and
// topics come and go; ClickHouse fails in every way that the model knows. Every row must be that of one straight run.
//
//tidemark:proves "a pipeline is killed in mid-flow": 1 2 3 4 5
//tidemark:proves "killed between insert and commit": 1 2 3 4 5
//tidemark:proves "killed in mid-insert": 1 2 3 4 5
//tidemark:proves "a worker is cut off from Kafka and writes on (a zombie)": 1 2 3 4 5
//tidemark:proves "an insert is refused, or applied without an answer": 1 2 3 4 5
//tidemark:proves "a replica does not have the committed rows yet": 1 2 3 4 5
//tidemark:proves "a partition is added": 1 2 3 4 5
//tidemark:proves "a topic is created anew": 1 2 3 4 5
//tidemark:proves "events come hours or weeks late": 1 2 3 4 5
//tidemark:proves "events come twice": 1 2 3 4 5
//tidemark:proves "members come and go": 1 2 3 4 5
//tidemark:proves "leaders and coordinators move, and brokers answer with errors": 1 2 3 4 5
//tidemark:proves "clocks jump": 1 2 3 4 5
//tidemark:proves "ClickHouse has too many parts, no memory, or is slow": 1 2 3 4 5
//tidemark:proves "the power of a modelled ClickHouse is cut": 1 2 3 4 5
func TestEveryFaultAtOnce(t *testing.T) {
	seeds := number(t, "TEST_SEEDS", 150)
	first := number(t, "TEST_SEED", 0)
	if first != 0 {
		seeds = 1
	}
	first = max(first, 1)
	_, err := program()
	require.NoError(t, err)
	next := make(chan uint64)
	go func() {
		defer close(next)
		for seed := first; seed < first+seeds; seed++ {
			next <- seed
		}
	}()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds are small and many
	sum := &totals{counts: map[string]int{}}
	began := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for i := range min(uint64(runtime.GOMAXPROCS(0)), seeds) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for seed := range next {
					result := play(t, seed, sound, (*simulation).run)
					sum.add(result)
					if len(result.wrong) > 0 {
						t.Error(result.failure())
					}
				}
			})
		}
	})
	if !t.Failed() {
		t.Logf("%s\nin %s", sum, time.Since(began).Round(time.Second))
	}
}
