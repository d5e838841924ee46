package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommandHasTheFlagsThatMatter(t *testing.T) {
	args := []string{"memory", "soak", "--windows", "1000", "--soak=2m", "--runs", "5", "--profile"}
	require.Equal(t, `make bench ARGS="memory --windows 1000"`, command("memory", args))
	require.Equal(t, `make bench ARGS="soak --soak=2m"`, command("soak", args))
	require.Equal(t, `make bench ARGS="throughput --runs 5"`, command("throughput", args))
	require.Equal(t, "make bench ARGS=freshness", command("freshness", args))
}

func TestChosen(t *testing.T) {
	names := func(measures ...string) (all []string) {
		for _, m := range (&flags{Measures: measures}).chosen() {
			all = append(all, m.name)
		}
		return all
	}
	require.Equal(t, []string{"peers", "memory", "freshness", "recovery", "catchup", "processes", "soak"}, names(), "peers has all that throughput has")
	require.Equal(t, []string{"throughput"}, names("throughput"))
	require.Equal(t, []string{"peers"}, names("peers", "throughput"))
	require.Empty(t, names("pages"))
}
