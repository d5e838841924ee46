package realkafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"tidemark/internal/child"
)

// errPortTaken says that another process took a chosen port before the broker could bind it.
var errPortTaken = errors.New("a chosen port was taken")

// launch is what every node's JVM is started with.
type launch struct {
	java   string
	jars   string
	heapMB int
	// options are further ones of the JVM.
	options []string
}

func (l launch) args(dir string, main ...string) []string {
	return slices.Concat(l.options, []string{
		fmt.Sprintf("-Xmx%dm", l.heapMB),
		// Tests start and stop brokers on small machines: little memory and a quick start count for more than peak speed.
		"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile=" + filepath.Join(dir, "log4j2.properties"),
		"-cp", filepath.Join(l.jars, "*"),
	}, main)
}

// node is one broker-and-controller process and its directory.
type node struct {
	id        int
	clusterID string
	dir       string
	launch    launch
	addr      string
	at        endpoints
	proc      *process
	// logFrom is where the running process's part of server.log begins.
	logFrom int
}

func (n *node) file(name string) string { return filepath.Join(n.dir, name) }

// prepare writes the configuration, and formats the storage of a directory that was never used.
func (n *node) prepare(ctx context.Context, props map[string]string) error {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return fmt.Errorf("create kafka's directory: %w", err)
	}
	err := errors.Join(
		writeProperties(n.file("server.properties"), props),
		writeLog4j(n.file("log4j2.properties"), n.file("server.log")),
	)
	if err != nil {
		return err
	}
	if _, err := os.Stat(n.file("data/meta.properties")); err == nil {
		return nil
	}
	args := n.launch.args(n.dir, "kafka.tools.StorageTool", "format", "-t", n.clusterID, "-c", n.file("server.properties"))
	out, err := exec.CommandContext(ctx, n.launch.java, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format the storage of kafka node %d: %w\n%s", n.id, errors.Join(err, ctx.Err()), out)
	}
	return nil
}

// start runs the broker until it is signalled, also when ctx has ended.
func (n *node) start(ctx context.Context) error {
	out, err := os.Create(n.file("stdout.log"))
	if err != nil {
		return fmt.Errorf("start kafka node %d: %w", n.id, err)
	}
	defer func() { _ = out.Close() }()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), n.launch.java,
		n.launch.args(n.dir, "kafka.Kafka", n.file("server.properties"))...)
	cmd.Dir = n.dir
	if log, err := os.Stat(n.file("server.log")); err == nil {
		n.logFrom = int(log.Size())
	}
	cmd.Stdout, cmd.Stderr = out, out
	n.proc, err = startProcess(cmd)
	if err != nil {
		return fmt.Errorf("start kafka node %d: %w", n.id, err)
	}
	return nil
}

// kill ends the process, if it runs, and waits for its end.
func (n *node) kill() {
	if n.proc == nil {
		return
	}
	n.proc.signal(syscall.SIGKILL)
	<-n.proc.exited
}

// output is what the latest process logged and printed.
func (n *node) output() string {
	stdout, _ := os.ReadFile(n.file("stdout.log"))
	log, _ := os.ReadFile(n.file("server.log"))
	return string(log[min(n.logFrom, len(log)):]) + string(stdout)
}

// portTaken looks into the log because a broker that cannot bind may take more than a minute to end.
func (n *node) portTaken() bool { return strings.Contains(n.output(), "Address already in use") }

// failure explains a process that ended by itself, with the end of what it logged.
func (n *node) failure() error {
	const tail = 4000
	out := n.output()
	return fmt.Errorf("kafka node %d ended: %w\n%s", n.id, n.proc.err, out[max(0, len(out)-tail):])
}

// process is a child that ends with its parent.
type process struct {
	pid int
	// exited is closed once the child was waited for; err is how it ended.
	exited chan struct{}
	err    error
}

// startProcess starts cmd in its own process group.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &process{exited: make(chan struct{})}
	err := child.Start(cmd, syscall.SIGKILL, func(err error) {
		if p.err = err; err == nil {
			p.err = errors.New("exit status 0")
		}
		close(p.exited)
	})
	if err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func (p *process) signal(sig syscall.Signal) {
	if p.running() {
		_ = syscall.Kill(p.pid, sig)
	}
}
