package realkafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/realkafka"
)

func TestSmoke(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	t0 := time.Now()
	c, err := realkafka.Start(ctx, realkafka.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Log("start", time.Since(t0), c.Brokers())
	t0 = time.Now()
	require.NoError(t, c.Kill(1))
	t.Log("kill", time.Since(t0))
	t0 = time.Now()
	require.NoError(t, c.Restart(ctx, 1))
	t.Log("restart", time.Since(t0))
	t0 = time.Now()
	require.NoError(t, c.Stop())
	t.Log("stop", time.Since(t0))
}
