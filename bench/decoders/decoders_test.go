package decoders

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/bench/input"
	"tidemark/pipeline/decode"
)

var limits = decode.Limits{MaxFuture: 10 * time.Minute, MaxAge: 43800 * time.Hour}

func events(t testing.TB) [][]byte {
	t.Helper()
	texts, err := input.Events()
	require.NoError(t, err)
	return texts
}

// TestSameFields: every decoder finds what encoding/json finds, and ours takes every event.
func TestSameFields(t *testing.T) {
	decoders := all()
	telemetry, err := ours(limits)
	require.NoError(t, err)
	var ev decode.Event
	for _, text := range events(t) {
		want, err := decoders[0].decode(text)
		require.NoError(t, err)
		for _, d := range decoders[1:] {
			got, err := d.decode(text)
			require.NoError(t, err, d.name)
			require.Equal(t, *want, *got, d.name)
		}
		require.Nil(t, telemetry.Decode(text, input.Start.UnixMilli(), &ev))
		require.Equal(t, want.Event, string(ev.Name))
		require.Equal(t, want.Properties.Feature, string(ev.Properties[0].Text))
		n, _ := ev.Properties[1].Number()
		require.Equal(t, uint64(want.Properties.DurationMS), n)
	}
}

// BenchmarkDecoders decodes the input with each decoder in turns, many times, and prints the quickest turn of each: on a
// busy machine that is what it costs when nobody disturbs it. Ours is the unit.
func BenchmarkDecoders(b *testing.B) {
	texts := events(b)
	telemetry, err := ours(limits)
	require.NoError(b, err)
	type contender struct {
		name  string
		turn  func()
		times []time.Duration
	}
	var ev decode.Event
	contenders := []contender{{name: "pipeline/decode", turn: func() {
		for _, text := range texts {
			if rej := telemetry.Decode(text, input.Start.UnixMilli(), &ev); rej != nil {
				b.Fatal(rej)
			}
		}
	}}}
	for _, d := range all() {
		contenders = append(contenders, contender{name: d.name, turn: func() {
			for _, text := range texts {
				if _, err := d.decode(text); err != nil {
					b.Fatal(err)
				}
			}
		}})
	}
	const turns = 100
	for range turns {
		for i := range contenders {
			c := &contenders[i]
			start := time.Now()
			c.turn()
			c.times = append(c.times, time.Since(start))
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', tabwriter.Debug)
	fmt.Fprintln(w, "| decoder\t time : ours\t its median : our median\t allocations an event\t")
	for i := range contenders {
		slices.Sort(contenders[i].times)
		c := &contenders[i]
		ratio := func(at int) float64 { return float64(c.times[at]) / float64(contenders[0].times[at]) }
		fmt.Fprintf(w, "| %s\t %.1f\t %.1f\t %.1f\t\n", c.name, ratio(0), ratio(turns/2), testing.AllocsPerRun(1, c.turn)/float64(len(texts)))
	}
	require.NoError(b, w.Flush())
}
