package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// What ptrace(2) calls PTRACE_O_EXITKILL, so that a traced process does not outlive us.
const exitKill = 0x100000

// countCore runs the core in a child process and returns the instructions of each step. The child is stepped through one
// instruction after another, which needs neither a counter in the processor, which virtual machines often lack, nor a tool.
func countCore(catalogue string) (map[string]uint64, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, childArg, catalogue)
	cmd.Stderr = os.Stderr
	// Nothing but the core's own work, and memory cleared by other instructions than one that counts each byte.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=cpu.erms=off")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("trace a child process (in a container, this may take the capability SYS_PTRACE): %w", err)
	}
	t := tracer{pid: cmd.Process.Pid}
	counts, err := t.run()
	_ = cmd.Process.Kill()
	for { // a thread that is traced is ours to wait for, as the process is
		if _, waitErr := syscall.Wait4(-1, nil, syscall.WALL, nil); errors.Is(waitErr, syscall.ECHILD) {
			return counts, err
		}
	}
}

// tracer follows the main thread of a Go process.
type tracer struct {
	pid    int
	sysmon int // the thread that would interrupt the main one; 0 = it has not been started
}

func (t *tracer) run() (map[string]uint64, error) {
	if _, err := wait(t.pid); err != nil { // it stops before its first instruction
		return nil, err
	}
	if err := syscall.PtraceSetOptions(t.pid, exitKill|syscall.PTRACE_O_TRACECLONE); err != nil {
		return nil, fmt.Errorf("trace options: %w", err)
	}
	counts := map[string]uint64{}
	for _, step := range steps {
		if err := t.toMark(); err != nil {
			return nil, fmt.Errorf("before %s: %w", step, err)
		}
		n, err := t.count()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step, err)
		}
		counts[step] = n
	}
	return counts, nil
}

// toMark lets the process run to its next mark.
func (t *tracer) toMark() error {
	for signal := 0; ; {
		if err := syscall.PtraceCont(t.pid, signal); err != nil {
			return err
		}
		status, err := wait(t.pid)
		if err != nil {
			return err
		}
		switch {
		case status.StopSignal() == syscall.SIGSTOP:
			return nil
		case status.TrapCause() == syscall.PTRACE_EVENT_CLONE:
			if err := t.newThread(); err != nil {
				return err
			}
			signal = 0
		default:
			signal = int(status.StopSignal())
		}
	}
}

// newThread lets a new thread go, but for the first: that is the runtime's sysmon, which would have the main thread give
// way every ten milliseconds, which is every few thousand instructions at this pace. It stays stopped.
func (t *tracer) newThread() error {
	tid, err := syscall.PtraceGetEventMsg(t.pid)
	if err != nil {
		return err
	}
	if _, err := wait(int(tid)); err != nil {
		return err
	}
	if t.sysmon == 0 {
		t.sysmon = int(tid)
		return nil
	}
	return syscall.PtraceDetach(int(tid))
}

// count steps to the next mark.
func (t *tracer) count() (n uint64, err error) {
	for {
		if err := syscall.PtraceSingleStep(t.pid); err != nil {
			return 0, err
		}
		status, err := wait(t.pid)
		switch stop := status.StopSignal(); {
		case err != nil:
			return 0, err
		case stop == syscall.SIGSTOP:
			return n, nil
		case stop != syscall.SIGTRAP:
			return 0, fmt.Errorf("the process got the signal %s", stop)
		}
		n++
	}
}

// wait waits until a thread stops.
func wait(tid int) (status syscall.WaitStatus, err error) {
	for {
		if _, err = syscall.Wait4(tid, &status, syscall.WALL, nil); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil && !status.Stopped() {
		err = fmt.Errorf("it ended early, with status %d", status.ExitStatus())
	}
	return status, err
}
