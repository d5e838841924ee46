package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tidemark/internal/child"
	"tidemark/internal/devclickhouse"
)

// process is a child that is measured.
type process struct {
	name string
	pid  int
	log  string        // file of what it says
	done chan struct{} // closed when it has ended
	err  error         // valid once done
}

// start starts a child, which ends with this process.
func (b *bench) start(name string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, log: filepath.Join(b.dir, name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close() //nolint:errcheck // the child has its own descriptor
	cmd.Stdout, cmd.Stderr = log, log
	err = child.Start(cmd, syscall.SIGKILL, func(err error) {
		p.err = err
		close(p.done)
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

// tidemark starts an instance of the pipeline as users do.
func (b *bench) tidemark(name, telemetry, group string, db *database) (*process, error) {
	path, err := filepath.Abs(b.Tidemark)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w: make build", err)
	}
	cmd := exec.Command(path, "run")
	cmd.Env = append(os.Environ(),
		"TIDEMARK_KAFKA_BROKERS="+strings.Join(b.services.brokers, ","), "TIDEMARK_KAFKA_GROUP="+group, "TIDEMARK_KAFKA_INSTANCE_ID="+name,
		"TIDEMARK_KAFKA_TOPICS_TELEMETRY="+telemetry,
		"TIDEMARK_CLICKHOUSE_ADDR="+b.services.server.NativeAddr(), "TIDEMARK_CLICKHOUSE_DATABASE="+db.name,
		"TIDEMARK_CLICKHOUSE_WRITER_PASSWORD="+b.services.password(devclickhouse.Writer),
		"TIDEMARK_ADMIN_LISTEN=127.0.0.1:0", "TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_LOG_LEVEL=warn",
	)
	return b.start(name, cmd)
}

// password returns the one of a role in ClickHouse.
func (s *services) password(role devclickhouse.Role) string {
	dsn, err := url.Parse(s.server.DSN(role))
	if err != nil {
		panic(err) // the server made it
	}
	password, _ := dsn.User.Password()
	return password
}

// endLimit is how long a child may take to end in order.
const endLimit = 30 * time.Second

// end tells the child to end, and kills it if it does not.
func (p *process) end() error {
	_ = syscall.Kill(p.pid, syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(endLimit):
		p.kill()
		return fmt.Errorf("%s does not end: %s", p.name, p.said())
	}
}

// kill ends the child as a crash does.
func (p *process) kill() {
	select {
	case <-p.done: // the id may be another's by now
	default:
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	<-p.done
}

// said is the end of what the child has written.
func (p *process) said() string {
	const last = 3000
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-last):]))
}

// while runs work, and stops it with an error if a child ends meanwhile.
func while(ctx context.Context, children []*process, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, p := range children {
		go func() {
			select {
			case <-p.done:
				cancel(fmt.Errorf("%s has ended: %w\n%s", p.name, p.err, p.said()))
			case <-ctx.Done():
			}
		}()
	}
	err := work(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return errors.Join(cause, err)
	}
	return err
}
