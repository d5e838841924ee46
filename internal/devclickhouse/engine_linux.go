//go:build linux && !noengine

package devclickhouse

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// engineStopLimit is how long the engine may take to stop once asked. Idle it takes 0.3 s, with open connections 5 s.
const engineStopLimit = 20 * time.Second

// The C side keeps these for as long as the process lives, so they must never be garbage: a collected os.File closes its
// descriptor, which the engine would then reuse, and a local runtime.Pinner panics when it is collected.
var (
	engineTerminal *os.File // The pty's master. Closing it ends the engine.
	engineArgv     []*byte  // NULL-terminated, as main's argv.
	engineQuery    func(argc int32, argv unsafe.Pointer) uintptr
	engineError    func(result uintptr) string
)

// RunEngine turns this process into the ClickHouse server that Start asked for and returns once the engine has stopped:
// nil after a SIGTERM or SIGINT, an error if the engine ended by itself. It takes the process over (standard input, signals,
// hundreds of MB of library), so it must be called in a child made for it, and the process must exit when it returns.
func RunEngine(cfg EngineConfig) error {
	if err := loadEngine(cfg.Library); err != nil {
		return err
	}
	// A client that resets its connection under load makes the engine write to a closed socket.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	if err := openTerminal(); err != nil {
		return fmt.Errorf("give the engine a terminal: %w", err)
	}

	returned := make(chan string, 1)
	go func() {
		runtime.LockOSThread()
		argv := cfg.argv()
		engineArgv = cStrings(argv)
		returned <- engineMessage(engineQuery(int32(len(argv)), unsafe.Pointer(&engineArgv[0]))) //nolint:gosec // C wants an int and a pointer; there are two arguments
	}()
	select {
	case message := <-returned:
		// A failed start returns with an empty message: the reason is on standard error only.
		return fmt.Errorf("the engine ended by itself %s", message)
	case <-stop:
	}
	if err := engineTerminal.Close(); err != nil {
		return fmt.Errorf("close the engine's terminal: %w", err)
	}
	select {
	case <-returned:
		return nil
	case <-time.After(engineStopLimit):
		return fmt.Errorf("the engine did not stop within %s of being asked to", engineStopLimit)
	}
}

// loadEngine loads the library and leaves the signal handlers to Go: with the library's own, a nil dereference that Go
// would recover from kills the process.
func loadEngine(path string) error {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return fmt.Errorf("load the engine library %s: %w", path, err)
	}
	var setSignalHandlers func(enabled int32)
	for name, function := range map[string]any{
		"chdb_set_signal_handlers_enabled": &setSignalHandlers,
		"chdb_query_cmdline":               &engineQuery,
		"chdb_result_error":                &engineError,
	} {
		symbol, err := purego.Dlsym(lib, name)
		if err != nil {
			return fmt.Errorf("the engine library %s has no %s: %w", path, name, err)
		}
		purego.RegisterFunc(function, symbol)
	}
	setSignalHandlers(0)
	return nil
}

// openTerminal makes standard input a terminal. Only an interactive engine survives an exception that leaks from one
// of its connections (one wrong password would do), and it believes to be interactive only on a terminal.
func openTerminal() error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	engineTerminal = master
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("unlock the pty: %w", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return fmt.Errorf("ask for the pty's number: %w", err)
	}
	name := "/dev/pts/" + strconv.Itoa(number)
	slave, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	if err := unix.Dup3(slave, 0, 0); err != nil {
		return errors.Join(fmt.Errorf("put %s on standard input: %w", name, err), unix.Close(slave))
	}
	return unix.Close(slave)
}

func cStrings(args []string) []*byte {
	out := make([]*byte, 0, len(args)+1)
	for _, a := range args {
		b := append([]byte(a), 0)
		out = append(out, &b[0])
	}
	return append(out, nil)
}

func engineMessage(result uintptr) string {
	if result == 0 {
		return "(no result)"
	}
	return engineError(result)
}
