// Package devclickhouse runs a ClickHouse server as a child process, for development, the demo and tests: the engine is the
// library libchdb.so, fetched on first use, and it listens on ClickHouse's own HTTP and native ports.
package devclickhouse

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"tidemark/internal/child"
)

// Options configure Start. Only Dir is required.
type Options struct {
	// Dir holds the tables, the configuration and engine.log. It is made if missing, and its tables are kept between runs.
	Dir string
	// HTTPPort and NativePort are the ports on 127.0.0.1. 0 lets the kernel pick one.
	HTTPPort, NativePort int
	// Passwords of the roles. A role without one gets a random password, which DSN and HTTPURL contain.
	Passwords map[Role]string
	// Grants are what a role may do, as GRANT statements without their TO, in place of what it may do otherwise.
	Grants map[Role][]string
	// Tenants are users besides the roles.
	Tenants []Tenant
	// Backups is the directory that BACKUP TO File may write to. Empty: none.
	Backups string
	// Library is the path of libchdb.so. Empty: EnsureLibrary fetches the pinned one.
	Library string
	// Progress is told how many bytes of the library's download are done. It may be nil.
	Progress func(done, total int64)
	// Shards are the native addresses, as DSN gives them, of other servers: the cluster "shards", over which this one can have
	// Distributed tables. It is none of them itself.
	Shards []string
	// EngineCommand is the command line, without the final --config-json=..., of a child that calls RunEngine.
	// Empty: this binary with the arguments "dev clickhouse-engine".
	EngineCommand []string
}

// Server is a running engine. Its methods may be called from several goroutines.
type Server struct {
	files      layout
	lock       *os.File
	passwords  map[Role]string
	process    *os.Process
	httpPort   int
	nativePort int

	stopping, killed atomic.Bool // Its end was asked for.
	done             chan struct{}
	err              error // Set before done is closed.
}

// startLimit bounds the wait for the engine to answer. It takes 0.3 s on an idle machine, more with many tables.
const startLimit = 60 * time.Second

// Start runs an engine and returns once it answers on both ports. ctx bounds the start (with the library's download), not
// the server's life. When this process dies, so does the engine.
func Start(ctx context.Context, opts Options) (*Server, error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil || opts.Dir == "" {
		return nil, fmt.Errorf("start ClickHouse: bad data directory %q: %w", opts.Dir, err)
	}
	if opts.Library == "" {
		if opts.Library, err = EnsureLibrary(ctx, opts.Progress); err != nil {
			return nil, fmt.Errorf("get the ClickHouse engine: %w", err)
		}
	}
	if len(opts.EngineCommand) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program's file: %w", err)
		}
		opts.EngineCommand = []string{self, "dev", "clickhouse-engine"}
	}
	s := &Server{files: layout{dir}, passwords: withPasswords(opts.Passwords), done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := s.start(ctx, opts); err != nil {
		return nil, fmt.Errorf("start ClickHouse in %s: %w", dir, err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, opts Options) error {
	if err := s.prepare(ctx, opts); err != nil {
		return err
	}
	if err := s.spawn(opts); err != nil {
		return errors.Join(err, s.lock.Close())
	}
	if err := s.waitReady(ctx); err != nil {
		s.Kill()
		<-s.done
		return err
	}
	return nil
}

// prepare takes the directory, checks the ports and writes the configuration.
func (s *Server) prepare(ctx context.Context, opts Options) error {
	if err := os.MkdirAll(s.files.root, 0o750); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	lock, err := takeDirectory(ctx, s.files)
	if err != nil {
		return err
	}
	s.lock = lock
	for _, port := range []int{opts.HTTPPort, opts.NativePort} {
		if err := checkPort(port); err != nil {
			return errors.Join(err, lock.Close())
		}
	}
	if err := s.files.write(s.passwords, opts); err != nil {
		return errors.Join(err, lock.Close())
	}
	return nil
}

// spawn starts the child and the goroutine that waits for it.
func (s *Server) spawn(opts Options) error {
	config, err := json.Marshal(EngineConfig{
		Library: opts.Library, DataDir: s.files.data(), ConfigFile: s.files.config(), PortsFile: s.files.ports(),
		HTTPPort: opts.HTTPPort, NativePort: opts.NativePort,
	})
	if err != nil {
		return err
	}
	// For appending, so that it can be cut while the engine writes to it.
	log, err := os.OpenFile(s.files.log(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("make the engine's log: %w", err)
	}
	args := append(slices.Clone(opts.EngineCommand[1:]), "--config-json="+string(config))
	cmd := exec.Command(opts.EngineCommand[0], args...)
	cmd.Dir = s.files.root
	cmd.Stderr = log                                      // Standard output has only the banner and prompts of clickhouse-local, so it is dropped.
	cmd.ExtraFiles = []*os.File{s.lock}                   // The directory stays taken until the child is gone too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // A Ctrl-C in the terminal does not reach it: its parent stops it, after its last writes.
	err = child.Start(cmd, syscall.SIGTERM, s.finish)     // It ends in order when this process dies.
	if err != nil {
		return errors.Join(fmt.Errorf("run the engine: %w", err), log.Close())
	}
	s.process = cmd.Process
	go s.boundLog()
	return log.Close()
}

func (s *Server) finish(err error) {
	switch {
	case s.killed.Load(), s.stopping.Load() && err == nil:
		s.err = nil
	case err == nil:
		s.err = fmt.Errorf("ClickHouse ended by itself: %w", s.files.diagnose())
	default:
		s.err = fmt.Errorf("ClickHouse ended (%w): %w", err, s.files.diagnose())
	}
	_ = s.lock.Close() // Nothing was written to it since it was taken.
	close(s.done)
}

// HTTPAddr is the host:port of the HTTP interface.
func (s *Server) HTTPAddr() string { return net.JoinHostPort(listenHost, strconv.Itoa(s.httpPort)) }

// NativeAddr is the host:port of the native protocol.
func (s *Server) NativeAddr() string { return net.JoinHostPort(listenHost, strconv.Itoa(s.nativePort)) }

// DSN is the native address with the role's password and Database, as clickhouse-go's ParseDSN reads it.
func (s *Server) DSN(role Role) string { return s.url("clickhouse", s.NativeAddr(), role) }

// HTTPURL is like DSN for the HTTP interface.
func (s *Server) HTTPURL(role Role) string { return s.url("http", s.HTTPAddr(), role) }

func (s *Server) url(scheme, addr string, role Role) string {
	u := url.URL{Scheme: scheme, Host: addr, User: url.UserPassword(string(role), s.passwords[role]), Path: "/" + Database}
	return u.String()
}

// LogFile is the path of the engine's own log, warnings and up. It starts anew with every start, and when it gets large.
func (s *Server) LogFile() string { return s.files.log() }

// PID is the engine's process id.
func (s *Server) PID() int { return s.process.Pid }

// Done is closed when the engine has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err is nil until Done is closed, and after a stop that was asked for; otherwise it says why the engine ended.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop ends the engine cleanly: 0.3 s if idle, about 5 s with clients connected. If ctx ends first, the engine is killed and
// an error returned; rows that it acknowledged are safe all the same.
func (s *Server) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	if err := s.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop ClickHouse: %w", err)
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		s.Kill()
		<-s.done
		return fmt.Errorf("ClickHouse was killed, it did not stop in time: %w", ctx.Err())
	}
}

// Kill ends the engine with SIGKILL, as a crash would, and does not wait for Done.
func (s *Server) Kill() {
	s.killed.Store(true)
	_ = s.process.Kill() // It fails only if the process has ended.
}

func withPasswords(given map[Role]string) map[Role]string {
	out := make(map[Role]string)
	for _, role := range []Role{Migrator, Writer, Reader, Eraser} {
		if out[role] = given[role]; out[role] == "" {
			out[role] = rand.Text()
		}
	}
	return out
}
