package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/ports/portstest"
)

// TestDev runs the binary as it ships: the engine is the binary itself, run again.
func TestDev(t *testing.T) {
	t.Parallel()
	if _, err := devclickhouse.EnsureLibrary(t.Context(), nil); err != nil {
		if errors.Is(err, devclickhouse.ErrNoNPM) && os.Getenv("CI") != "true" {
			t.Skip(err)
		}
		require.NoError(t, err)
	}
	binary := filepath.Join(t.TempDir(), "tidemark")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for name, test := range map[string]func(*testing.T, string){
		"Kafka survives SIGKILL": testDevKafka, "ClickHouse is what the configuration expects": testDevClickHouse,
		"ClickHouse ends with its parts": testDevClickHouseKilled, "without npm": testDevWithoutNPM,
		"a user's catalogue is tested": testCatalogueTests, "rules are tested from records": testTriggersTests,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, binary) })
	}
}

// devProcess is a running tidemark dev, and the variables that it said to export.
type devProcess struct {
	cmd    *exec.Cmd
	stderr *strings.Builder
	env    []string
}

// startDev starts tidemark dev and waits for the last of the lines that it prints.
func startDev(t *testing.T, binary, last string, args ...string) *devProcess {
	t.Helper()
	p := &devProcess{cmd: exec.Command(binary, append([]string{"dev"}, args...)...), stderr: &strings.Builder{}}
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		assignment, ok := strings.CutPrefix(lines.Text(), "export ")
		require.True(t, ok, "not for a shell: %s", lines.Text())
		name, value, _ := strings.Cut(assignment, "=")
		p.env = append(p.env, name+"="+strings.Trim(value, "'"))
		if name == last {
			return p
		}
	}
	_ = p.cmd.Wait()
	require.Fail(t, "ended early", p.stderr.String())
	return nil
}

func (p *devProcess) value(name string) string {
	for _, variable := range p.env {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}

// end sends a signal and returns the exit code, which is -1 after a SIGKILL.
func (p *devProcess) end(t *testing.T, s syscall.Signal) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(s))
	_ = p.cmd.Wait() // the code says it
	return p.cmd.ProcessState.ExitCode()
}

func testDevKafka(t *testing.T, binary string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kafka")
	start := func(port string) *devProcess {
		return startDev(t, binary, "TIDEMARK_KAFKA_BROKERS", "kafka", "--data-dir", dir, "--port", port)
	}
	address, reserved := portstest.Reserve(t) // else somebody might take the port before the second broker does
	port := strconv.Itoa(reserved)
	p := start(port)
	require.Equal(t, []string{"TIDEMARK_KAFKA_BROKERS=" + address}, p.env)
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, "t")
	require.NoError(t, err)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("kept")}).FirstErr())
	require.Equal(t, -1, p.end(t, syscall.SIGKILL))

	p = start(port)
	require.Equal(t, address, p.value("TIDEMARK_KAFKA_BROKERS"))
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), "t")
	require.NoError(t, err)
	end, _ := ends.Lookup("t", 0)
	require.Equal(t, int64(1), end.Offset)

	got := tidemark(t, nil, "dev", "kafka", "--data-dir", filepath.Join(t.TempDir(), "other"), "--port", port)
	require.Equal(t, exitFailure, got.code)
	require.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
	require.Contains(t, got.stderr, "tidemark: start embedded kafka: "+address+" is already in use; stop the process that listens there, or choose another port")
	got = tidemark(t, nil, "dev", "kafka", "--data-dir", dir, "--port", "0")
	require.Equal(t, outcome{exitFailure, "", "tidemark: embedded kafka's data directory is used by another broker: " + dir +
		"; stop that process, or choose another data directory\n"}, got)

	require.Equal(t, exitOK, p.end(t, syscall.SIGTERM))
	require.Empty(t, p.stderr.String())

	p = start("0")
	anywhere, err := kgo.NewClient(kgo.SeedBrokers(p.value("TIDEMARK_KAFKA_BROKERS")))
	require.NoError(t, err)
	defer anywhere.Close()
	ends, err = kadm.NewClient(anywhere).ListEndOffsets(t.Context(), "t")
	require.NoError(t, err)
	end, _ = ends.Lookup("t", 0)
	require.Equal(t, int64(1), end.Offset)
}

func testDevClickHouse(t *testing.T, binary string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clickhouse")
	p := startDev(t, binary, "TIDEMARK_CLICKHOUSE_READER_PASSWORD", "clickhouse", "--data-dir", dir, "--http-port", "0", "--native-port", "0")
	address := p.value("TIDEMARK_CLICKHOUSE_ADDR")
	require.Equal(t, []string{
		"TIDEMARK_CLICKHOUSE_ADDR=" + address, "TIDEMARK_CLICKHOUSE_MIGRATOR_PASSWORD=migrator",
		"TIDEMARK_CLICKHOUSE_WRITER_PASSWORD=writer", "TIDEMARK_CLICKHOUSE_READER_PASSWORD=reader",
	}, p.env)
	require.Equal(t, outcome{exitOK, "ClickHouse: up to date\n", ""}, tidemark(t, p.env, "migrate", "--skip-topics"))

	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	for _, flag := range []string{"--http-port", "--native-port"} {
		got := tidemark(t, nil, "dev", "clickhouse", "--data-dir", t.TempDir(), "--http-port", "0", "--native-port", "0", flag, port)
		require.Equal(t, exitFailure, got.code)
		require.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
		require.Contains(t, got.stderr, "port "+port+" can't be used: stop what listens there, or give another port (0 picks a free one)")
	}
	require.Equal(t, exitOK, p.end(t, syscall.SIGINT))
	require.Empty(t, p.stderr.String())

	// Passwords come from the configuration where it has them, and are not shown then.
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("s3cret\n"), 0o600))
	path := configFile(t, "clickhouse: {protocol: http, database: other, writer: {user: me, password_file: "+secret+"}}")
	p = startDev(t, binary, "TIDEMARK_CLICKHOUSE_READER_PASSWORD", "clickhouse", "-c", path, "--data-dir", dir, "--http-port", "0", "--native-port", "0")
	require.Equal(t, []string{
		"TIDEMARK_CLICKHOUSE_ADDR=" + p.value("TIDEMARK_CLICKHOUSE_ADDR"), "TIDEMARK_CLICKHOUSE_DATABASE=tidemark",
		"TIDEMARK_CLICKHOUSE_MIGRATOR_PASSWORD=migrator", "TIDEMARK_CLICKHOUSE_WRITER_USER=writer", "TIDEMARK_CLICKHOUSE_READER_PASSWORD=reader",
	}, p.env)
	got := tidemark(t, p.env, "check", "-c", path)
	for _, role := range []string{"migrator", "writer", "reader"} {
		require.Contains(t, got.stdout, "ok       clickhouse."+role+": "+role+" reached "+p.value("TIDEMARK_CLICKHOUSE_ADDR"))
	}
	require.Regexp(t, `(?m)^ok       migrations: all \d+ are applied$`, got.stdout, "the tables of the first run are still there")
}

func testDevClickHouseKilled(t *testing.T, binary string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clickhouse")
	start := func() (*devProcess, int) {
		p := startDev(t, binary, "TIDEMARK_CLICKHOUSE_READER_PASSWORD", "clickhouse", "--data-dir", dir, "--http-port", "0", "--native-port", "0")
		return p, child(t, p.cmd.Process.Pid)
	}
	p, engine := start()
	require.NoError(t, syscall.Kill(engine, syscall.SIGKILL))
	require.Error(t, p.cmd.Wait())
	require.Equal(t, exitFailure, p.cmd.ProcessState.ExitCode(), "nobody is left to serve")
	require.Contains(t, p.stderr.String(), "tidemark: ClickHouse ended (signal: killed): ")

	p, engine = start()
	require.Equal(t, -1, p.end(t, syscall.SIGKILL))
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(engine, 0), syscall.ESRCH) || zombie(engine) }, 5*time.Minute, 50*time.Millisecond,
		"the engine must not outlive the command")
	p, _ = start()
	require.Equal(t, exitOK, p.end(t, syscall.SIGTERM))
}

// child returns the only child of a process.
func child(t *testing.T, parent int) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	var children []int
	for _, path := range stats {
		if pid, ppid, _, err := readStat(path); err == nil && ppid == parent {
			children = append(children, pid)
		}
	}
	require.Len(t, children, 1)
	return children[0]
}

func zombie(pid int) bool {
	_, _, state, err := readStat("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || state == "Z"
}

func readStat(path string) (pid, ppid int, state string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, "", err
	}
	// pid (name) state ppid …, and the name may have spaces.
	if _, err = fmt.Sscanf(string(text), "%d", &pid); err != nil {
		return 0, 0, "", err
	}
	_, err = fmt.Sscanf(string(text[strings.LastIndexByte(string(text), ')')+1:]), "%s %d", &state, &ppid)
	return pid, ppid, state, err
}

func testDevWithoutNPM(t *testing.T, binary string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "dev", "clickhouse", "--data-dir", t.TempDir(), "--http-port", "0", "--native-port", "0")
	cmd.Env = []string{"PATH=/nonexistent", devclickhouse.EngineDirEnv + "=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, exitFailure, cmd.ProcessState.ExitCode())
	require.Equal(t, 1, strings.Count(string(out), "\n"), "%s", out)
	require.Contains(t, string(out), "npm is not installed, and the ClickHouse engine comes as an npm package: install Node.js (which has npm) once, "+
		"or start a ClickHouse server yourself and give its address")
}

func TestDevEngineRefusesABadConfiguration(t *testing.T) {
	t.Parallel()
	got := tidemark(t, nil, "dev", "clickhouse-engine", "--config-json={")
	require.Equal(t, outcome{exitFailure, "", "tidemark: read the engine's configuration: unexpected end of JSON input\n"}, got)
	require.NotContains(t, tidemark(t, nil, "dev", "--help").stdout, "clickhouse-engine", "it is not for people")
}

func TestExplainDisk(t *testing.T) {
	t.Parallel()
	full := &os.PathError{Op: "write", Path: "/d/users.xml", Err: syscall.ENOSPC}
	want := "the disk of /d is full: free some space there, or give --data-dir on another disk: write /d/users.xml: no space left on device"
	require.EqualError(t, explainDisk(full, "/d"), want)
	require.EqualError(t, explainDisk(errors.New(full.Error()), "/d"), want, "some parts give text only")
	other := errors.New("permission denied")
	require.Equal(t, other, explainDisk(other, "/d"))
	require.NoError(t, explainDisk(nil, "/d"))
}

func TestExport(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", export("A", `it's $HOME "x" \n`)+"; printf %s \"$A\"").Output()
	require.NoError(t, err)
	require.Equal(t, `it's $HOME "x" \n`, string(out))
}
