package client

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func numbered(n int) Event {
	return Event{ID: fmt.Sprint("m", n), Key: "acme", Body: fmt.Appendf(nil, `{"n":%d}`, n)}
}

func fill(t *testing.T, s *spool, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		require.NoError(t, s.append(appendRecord(nil, numbered(n)), 1))
	}
}

// drain reads and acknowledges all that is there.
func drain(t *testing.T, s *spool) []Event {
	t.Helper()
	var all []Event
	for {
		b, err := s.read(3, 1<<20)
		require.NoError(t, err)
		if len(b.events) == 0 {
			return all
		}
		all = append(all, b.events...)
		require.NoError(t, s.ack(b))
	}
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	require.NoError(t, err)
	return paths
}

func open(t *testing.T, dir string) *spool {
	t.Helper()
	s, err := openSpool(dir, 1<<20, true)
	require.NoError(t, err)
	return s
}

func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := openSpool(dir, 1<<20, false)
	require.ErrorIs(t, err, ErrDirInUse)
	s.segmentBytes = 200
	fill(t, s, 0, 20)
	require.Greater(t, len(segments(t, dir)), 2)
	b, err := s.read(3, 1<<20)
	require.NoError(t, err)
	require.Len(t, b.events, 3)
	require.NoError(t, s.ack(b))
	require.Equal(t, 17, s.state().left)
	require.NoError(t, s.close())

	// The next process sends the first segment again as a whole, and then writes segments of its own.
	s = open(t, dir)
	require.Equal(t, 20, s.state().left)
	fill(t, s, 20, 22)
	all := drain(t, s)
	require.Len(t, all, 22)
	for n, e := range all {
		require.Equal(t, numbered(n), e)
	}
	require.Empty(t, segments(t, dir), "what is acknowledged is deleted")
	require.Equal(t, spoolState{}, s.state())
	fill(t, s, 22, 23)
	require.Len(t, drain(t, s), 1)
	require.NoError(t, s.close())
}

// TestTornTails cuts a segment off at every byte, and damages every byte.
func TestTornTails(t *testing.T) {
	written := []byte(magic)
	ends := map[int]int{len(magic): 0} // by offset: events before it
	for n := range 3 {
		written = appendRecord(written, numbered(n))
		ends[len(written)] = n + 1
	}
	whole := 0
	check := func(content []byte, want int) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "0000000000000007.seg"), content, 0o600))
		s := open(t, dir)
		require.Equal(t, want, s.state().left)
		fill(t, s, 3, 4)
		require.Len(t, drain(t, s), want+1)
		require.NoError(t, s.close())
	}
	for size := range len(written) + 1 {
		if n, ok := ends[size]; ok {
			whole = n
		}
		check(written[:size], whole)
	}
	whole = 0
	for at := range written {
		if n, ok := ends[at]; ok {
			whole = n
		}
		damaged := bytes.Clone(written)
		damaged[at] ^= 0x40
		check(damaged, whole)
	}
}

// TestDamageWhileOpen has the rest of a segment given up, and the next one read.
func TestDamageWhileOpen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	fill(t, s, 0, 4)
	path := segments(t, dir)[0]
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content[len(content)/2] ^= 1
	require.NoError(t, os.WriteFile(path, content, 0o600))
	require.Less(t, len(drain(t, s)), 4)
	require.Zero(t, s.state().left)
	require.NotZero(t, s.state().corrupt)
	fill(t, s, 4, 5)
	require.Equal(t, []Event{numbered(4)}, drain(t, s))
	require.NoError(t, s.close())
}

func FuzzReadRecords(f *testing.F) {
	valid := appendRecord(appendRecord(nil, numbered(1)), Event{Kind: Signals, Body: []byte("{}")})
	f.Add(uint8(2), []byte{})
	f.Add(uint8(1), valid[:len(valid)-1])
	f.Add(uint8(0), valid)
	f.Add(uint8(1), []byte{1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(uint8(0), bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, n uint8, garbage []byte) {
		var b []byte
		for i := range int(n) {
			b = appendRecord(b, numbered(i))
		}
		prefix := len(b)
		b = append(b, garbage...)
		var got []Event
		var again []byte
		passed := readRecords(b, func(e Event, _ int) bool {
			got = append(got, e)
			again = appendRecord(again, e)
			return true
		})
		require.GreaterOrEqual(t, passed, prefix)
		require.LessOrEqual(t, passed, len(b))
		require.GreaterOrEqual(t, len(got), int(n))
		for i := range int(n) {
			require.Equal(t, numbered(i), got[i])
		}
		require.True(t, bytes.HasPrefix(again, b[:prefix]))
	})
}
