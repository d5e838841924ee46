package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/bench/input"
)

var update = flag.Bool("update", false, "write the fixed input anew")

// TestFixedInput: the fixed input is what the generator makes, so that it is known what it holds.
func TestFixedInput(t *testing.T) {
	g := newGenerator(shape{
		Events: 4000, Accounts: 8, Users: 20, Features: 12, Minutes: 20, Active: 1.0 / 3, Late: 0.01, Duplicates: 0.01, Seed: 1,
	}, input.Start)
	var want [][]byte
	for m, ok := g.next(); ok; m, ok = g.next() {
		want = append(want, m.value)
	}
	if *update {
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		require.NoError(t, err)
		_, err = w.Write(append(bytes.Join(want, []byte("\n")), '\n'))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.NoError(t, os.WriteFile("input/events.jsonl.gz", packed.Bytes(), 0o600))
		return
	}
	got, err := input.Events()
	require.NoError(t, err)
	require.Equal(t, string(bytes.Join(want, []byte("\n"))), string(bytes.Join(got, []byte("\n"))),
		"the generator was changed: go test ./bench -run TestFixedInput -update, and make bench-check ARGS=--update")
}
