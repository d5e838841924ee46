package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCompare: a step that costs more than it may fails, and says which, by how much and what to do.
func TestCompare(t *testing.T) {
	was := baseline{Go: "go1", Tolerance: 0.03, PerEvent: map[string]uint64{"decode": 1000, "step": 2000, "take": 3000}}
	is := func(decode, step, take uint64) baseline {
		return baseline{Go: "go1", PerEvent: map[string]uint64{"decode": decode, "step": step, "take": take}}
	}
	require.NoError(t, compare(was, is(1029, 1900, 3000)))
	err := compare(was, is(1031, 2000, 3300))
	require.ErrorContains(t, err, "decode costs 3.1 % more; take costs 10.0 % more where 3 % are allowed")
	require.ErrorContains(t, err, "--update")
	other := is(1000, 3000, 3000)
	other.Go = "go2"
	require.ErrorContains(t, compare(was, other), "the figures are of go1, this is go2")
}

// TestCoreTakesTheInput: what is counted is the work on valid events.
func TestCoreTakesTheInput(t *testing.T) {
	marks := 0
	require.NoError(t, runCore("", func() { marks++ }))
	require.Equal(t, 2*len(steps), marks)
}
