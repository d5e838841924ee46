package devclickhouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockRetry is how often a held lock is tried again.
const lockRetry = 100 * time.Millisecond

// lockFile takes an exclusive lock on the file and writes this process's id into it. It waits until ctx ends; the error
// then names the holder. The lock is released when every copy of the file's descriptor is closed, so a child that inherits
// it holds it too, and a crash never leaves it behind.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%s is held by process %s: %w", path, holder(path), ctx.Err()), f.Close())
		case <-time.After(lockRetry):
		}
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// orphaned reports whether the process that took the lock is gone, so that only a child of its holds it.
func orphaned(path string) bool {
	pid, err := strconv.Atoi(holder(path))
	return err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

func holder(path string) string {
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		return "(unknown)"
	}
	return strings.TrimSpace(string(text))
}
