//go:build upgrade

package e2e

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/realkafka/kafkatest"
)

// before is the version that is upgraded from: a commit that this one descends from. Move it on when a version is released.
const before = "88c955b122e40f0ca4ee43d87831d2cbc1d1992a"

// binaryOf builds tidemark as it was at a commit.
func binaryOf(t *testing.T, commit string) string {
	t.Helper()
	out, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	require.NoError(t, err, "the version before is built from the history: run this in a clone")
	root := strings.TrimSpace(string(out))
	err = exec.Command("git", "-C", root, "merge-base", "--is-ancestor", commit, "HEAD").Run()
	require.NoError(t, err, "the history here does not reach back to %s: fetch the rest of it (git fetch --unshallow)", commit)
	dir := t.TempDir()
	archive, err := exec.Command("git", "-C", root, "archive", "--format=tar", commit).Output()
	require.NoError(t, err)
	unpack := exec.Command("tar", "-x", "-C", dir)
	unpack.Stdin = bytes.NewReader(archive)
	require.NoError(t, unpack.Run())
	path := filepath.Join(dir, "tidemark-before")
	build := exec.Command("go", "build", "-o", path, "./cmd/tidemark")
	build.Dir = dir
	said, err := build.CombinedOutput()
	require.NoError(t, err, "build the version before: %s", said)
	return path
}

// TestUpgrade takes two workers from the version before to this one and back, one after the other, while events keep coming: both
// versions work side by side in the group, on tables that this version has migrated, and every row is that of the log.
func TestUpgrade(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	was, is := binaryOf(t, before), Binary(t, "")
	s := &stage{NewStage(t, kafkatest.Start(t).Brokers(), chtest.Shared(t)), t}
	// The version before refuses keys that it does not know, so that both have the configuration of that one.
	s.Env = slices.DeleteFunc(s.Env, func(e string) bool { return strings.HasPrefix(e, "TIDEMARK_CLICKHOUSE_REFRESH=") })
	migrate := func() {
		t.Helper()
		p := Start(t, was, "migrate-before", s.Env, "migrate")
		<-p.Done
		require.NoError(t, p.Err)
	}
	migrate()
	g := NewTraffic(s.Brokers, 9)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	workers := map[string]*Process{"a": s.Pipeline(was, "a"), "b": s.Pipeline(was, "b")}
	both := func() {
		t.Helper()
		s.Shared(ctx, s.Group, 2, sources...)
		require.NoError(t, g.Send(ctx, 2000))
		s.Settle(ctx, workers["a"], workers["b"])
		s.Verify(ctx)
	}
	both()
	s.Migrate() // with this version, under workers of the one before
	both()
	for _, step := range []struct{ worker, binary string }{{"a", is}, {"b", is}, {"a", was}, {"b", was}} {
		require.NoError(t, g.Send(ctx, 1000)) // which it leaves in the middle of
		workers[step.worker].Terminate(t)
		require.NoError(t, g.Send(ctx, 1000))
		workers[step.worker] = s.Pipeline(step.binary, step.worker)
		both()
	}
	// The version before may also migrate again: what this one has added stays.
	migrate()
	both()
	for _, w := range workers {
		w.Terminate(t)
	}
}
