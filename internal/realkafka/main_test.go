package realkafka_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/realkafka"
)

// parentDir makes the test binary run a cluster in that directory, print the broker's process id and wait to be killed.
const parentDir = "TIDEMARK_TEST_KAFKA_PARENT_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentDir); dir != "" {
		if err := runParent(dir); err != nil {
			fmt.Println(err)
		}
		os.Exit(1) // nobody killed it in time
	}
	goleak.VerifyTestMain(m)
}

func runParent(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cluster, err := realkafka.Start(ctx, realkafka.Options{Dir: dir})
	if err != nil {
		return err
	}
	fmt.Println(cluster.PIDs()[0])
	<-ctx.Done()
	cluster.Stop()
	return nil
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// requireGone waits until no process has the id: the kernel signals and reaps orphans asynchronously.
func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }, 5*time.Minute, 20*time.Millisecond,
		"process %d is still there", pid)
}
