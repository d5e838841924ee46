package devkafka

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// ErrDirInUse says that another embedded broker, here or in another process, uses the data directory.
var ErrDirInUse = errors.New("embedded kafka's data directory is used by another broker")

// dirLock holds the data directory for this process; the kernel releases it when the process ends, however it ends. The file's
// content says whether the last holder closed its broker.
type dirLock struct{ f *os.File }

const (
	stateRunning = "running\n"
	stateClosed  = "closed\n"
)

// lockDir takes the directory. crashed is true if the broker that had it last did not close.
func lockDir(dir string) (l *dirLock, crashed bool, err error) {
	path := filepath.Join(dir, "LOCK")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, false, fmt.Errorf("lock embedded kafka's data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, false, fmt.Errorf("%w: %s; stop that process, or choose another data directory", ErrDirInUse, dir)
		}
		return nil, false, fmt.Errorf("lock %s: %w", path, err)
	}
	state, err := io.ReadAll(f)
	if err != nil {
		_ = f.Close()
		return nil, false, fmt.Errorf("read %s: %w", path, err)
	}
	return &dirLock{f: f}, string(state) != stateClosed && len(state) > 0, nil
}

// mark writes the state durably.
func (l *dirLock) mark(state string) error {
	err := errors.Join(l.f.Truncate(0), writeAtStart(l.f, state), l.f.Sync())
	if err != nil {
		return fmt.Errorf("write %s: %w", l.f.Name(), err)
	}
	return nil
}

func writeAtStart(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// release unlocks before it closes: a child that was just forked has a copy of the descriptor until its exec.
func (l *dirLock) release() {
	_ = syscall.Flock(int(l.f.Fd()), syscall.LOCK_UN)
	_ = l.f.Close()
}
