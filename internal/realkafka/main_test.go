package realkafka_test

import (
	"context"
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
		runParent(dir)
	}
	goleak.VerifyTestMain(m)
}

func runParent(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cluster, err := realkafka.Start(ctx, realkafka.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(cluster.PIDs()[0])
	<-ctx.Done()
	os.Exit(1)
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// requireGone waits until no process has the id: the kernel signals and reaps orphans asynchronously.
func requireGone(t *testing.T, pid int) {
	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH }, 20*time.Second, 20*time.Millisecond,
		"process %d is still there", pid)
}
