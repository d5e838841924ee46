// Package kafkatest gives a test a real Kafka cluster of its own.
package kafkatest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/realkafka"
)

// startWithin covers Maven's first download on a slow line as well.
const startWithin = 5 * time.Minute

// Start runs a single Kafka node until the test ends.
func Start(tb testing.TB) *realkafka.Cluster {
	tb.Helper()
	return StartWith(tb, realkafka.Options{})
}

// StartWith runs a cluster until the test ends; an empty Options.Dir means the test's own temporary directory.
func StartWith(tb testing.TB, opts realkafka.Options) *realkafka.Cluster {
	tb.Helper()
	RequireTools(tb)
	if opts.Dir == "" {
		opts.Dir = tb.TempDir()
	}
	ctx, cancel := context.WithTimeout(tb.Context(), startWithin)
	defer cancel()
	cluster, err := realkafka.Start(ctx, opts)
	require.NoError(tb, err)
	tb.Cleanup(cluster.Stop)
	return cluster
}

// RequireTools makes sure that java and Kafka's jars are there. Only a missing java or mvn skips the test, and with CI=true
// nothing does.
func RequireTools(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startWithin)
	defer cancel()
	err := realkafka.Fetch(ctx)
	var missing *realkafka.MissingToolError
	if errors.As(err, &missing) && os.Getenv("CI") != "true" {
		tb.Skip(err)
	}
	require.NoError(tb, err)
}
