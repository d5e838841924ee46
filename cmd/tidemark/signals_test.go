package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// signalChild marks the process that TestSignals sends signals to: this test's binary, run again.
const signalChild = "TIDEMARK_TEST_SIGNAL_CHILD"

func TestSignals(t *testing.T) {
	if os.Getenv(signalChild) != "" {
		beSignalChild(t)
		return
	}
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSignals$")
			cmd.Env = append(os.Environ(), signalChild+"=1")
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewScanner(stdout)

			require.True(t, lines.Scan())
			require.Equal(t, "ready", lines.Text())
			require.NoError(t, cmd.Process.Signal(s))
			require.True(t, lines.Scan())
			require.Equal(t, "stopping: stopped by "+s.String(), lines.Text())
			require.NoError(t, cmd.Process.Signal(s))
			rest, err := io.ReadAll(stdout)
			require.NoError(t, err)
			require.Empty(t, rest, "the second signal ends the process at once")
			var exit *exec.ExitError
			require.ErrorAs(t, cmd.Wait(), &exit)
			require.Equal(t, 128+int(s), exit.ExitCode())
		})
	}
}

// beSignalChild is a command that takes forever to stop.
func beSignalChild(t *testing.T) {
	t.Helper()
	ctx, stop := signalContext(t.Context())
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("stopping:", context.Cause(ctx))
	select {}
}

func TestSignalContextEndsWithItsStop(t *testing.T) {
	t.Parallel()
	ctx, stop := signalContext(t.Context())
	require.NoError(t, ctx.Err())
	stop()
	<-ctx.Done()
	require.ErrorIs(t, context.Cause(ctx), context.Canceled)
}
