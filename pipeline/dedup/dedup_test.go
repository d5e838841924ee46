package dedup

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestAgainstDefinition compares the filter with the sentence that defines it, on any log and any restart point.
func TestAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 40).Draw(t, "n")
		type record struct {
			offset int64
			id     uint64
		}
		var log []record
		offset := int64(0)
		for range rapid.IntRange(0, 300).Draw(t, "records") {
			offset += rapid.Int64Range(1, 3).Draw(t, "gap")
			log = append(log, record{offset, rapid.Uint64Range(0, 30).Draw(t, "id") << rapid.IntRange(0, 12).Draw(t, "shift")})
		}
		restart := 0
		if len(log) > 0 {
			restart = rapid.IntRange(0, len(log)-1).Draw(t, "restart")
		}
		f := New(n)
		for i, r := range log {
			if i == restart { // a new filter, warmed by the ids of the n offsets before
				f = New(n)
				for _, w := range log[:i] {
					if w.offset >= r.offset-n {
						f.Repeats(w.offset, w.id)
					}
				}
			}
			want := false
			for _, p := range log[:i] {
				want = want || p.id != 0 && p.id == r.id && p.offset >= r.offset-n
			}
			require.Equal(t, want, f.Repeats(r.offset, r.id), "offset %d id %d", r.offset, r.id)
		}
	})
}

func TestMemoryIsBoundedByTheWindow(t *testing.T) {
	f := New(1000)
	for o := range int64(200_000) {
		require.False(t, f.Repeats(o, uint64(o)*0x9E3779B97F4A7C15+1))
	}
	require.LessOrEqual(t, f.Len(), 1537)
	require.LessOrEqual(t, len(f.last), 2048)
}

func BenchmarkRepeats(b *testing.B) {
	f := New(131072)
	for o := range b.N {
		f.Repeats(int64(o), uint64(o)*0x9E3779B97F4A7C15+1)
	}
}
