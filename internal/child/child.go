// Package child starts processes that end with the one that started them.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts cmd, and calls ended, from another goroutine, with what waiting for it returned. If this process ends first,
// however it does, the child gets the signal: on Linux, other systems have no such thing.
func Start(cmd *exec.Cmd, signal syscall.Signal, ended func(error)) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	endWithParent(cmd.SysProcAttr, signal)
	started := make(chan error)
	go func() {
		// Linux sends the signal when the thread that started the child ends, so this one must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended(cmd.Wait())
		}
	}()
	return <-started
}
