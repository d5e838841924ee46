//go:build linux && !noengine

package devclickhouse_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
)

func TestAnswersOnBothPorts(t *testing.T) {
	server := chtest.Start(t)
	for _, dsn := range []string{server.DSN(devclickhouse.Writer), server.HTTPURL(devclickhouse.Writer)} {
		conn := chtest.Open(t, dsn)
		require.NoError(t, conn.Ping(t.Context()))
		var database string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT currentDatabase()").Scan(&database))
		require.Equal(t, devclickhouse.Database, database)
	}
	// A client that names no database gets it too.
	var database string
	bare := strings.TrimSuffix(server.DSN(devclickhouse.Reader), "/"+devclickhouse.Database)
	require.NoError(t, chtest.Open(t, bare).QueryRow(t.Context(), "SELECT currentDatabase()").Scan(&database))
	require.Equal(t, devclickhouse.Database, database)
}

func TestSettingsSuitALaptop(t *testing.T) {
	conn := chtest.Shared(t).Open(t, devclickhouse.Migrator)
	for name, want := range map[string]string{
		"background_schedule_pool_size": "16", "background_pool_size": "4", "mark_cache_size": "268435456",
		"primary_index_cache_size": "268435456", "max_server_memory_usage_to_ram_ratio": "0.5", "max_concurrent_queries": "200",
	} {
		var value string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT value FROM system.server_settings WHERE name = ?", name).Scan(&value), name)
		require.Equal(t, want, value, name)
	}
	var logs uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = 'system' AND name LIKE '%\\_log'").Scan(&logs))
	require.Zero(t, logs, "system logs would fill the disk of a demo")
}

func TestRestartKeepsDataAndPasswords(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), `it's a "dir" <&> ü`)
	opts := devclickhouse.Options{Dir: dir, Passwords: map[devclickhouse.Role]string{devclickhouse.Writer: `p@ss'"<&/:?`}}
	server := chtest.StartWith(t, opts)
	require.NoError(t, chtest.Open(t, server.DSN(devclickhouse.Migrator)).Exec(t.Context(), "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a"))
	require.NoError(t, chtest.Open(t, server.DSN(devclickhouse.Writer)).Exec(t.Context(), "INSERT INTO t SELECT number FROM numbers(1000)"))
	require.NoError(t, server.Stop(t.Context()))
	require.NoError(t, server.Err())
	require.NoError(t, server.Stop(t.Context()), "a second stop is harmless")

	again := chtest.StartWith(t, opts)
	var n uint64
	require.NoError(t, chtest.Open(t, again.HTTPURL(devclickhouse.Writer)).QueryRow(t.Context(), "SELECT count() FROM t").Scan(&n))
	require.EqualValues(t, 1000, n)
}

func TestLargeBodyOverHTTP(t *testing.T) {
	const rows = 8 << 20 // 64 MB of UInt64.
	db := chtest.Shared(t)
	require.NoError(t, db.Open(t, devclickhouse.Migrator).Exec(t.Context(), "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a"))
	body := make([]byte, 0, 8*rows)
	for i := range uint64(rows) {
		body = binary.LittleEndian.AppendUint64(body, i)
	}
	address := strings.TrimSuffix(db.HTTPURL(devclickhouse.Writer), db.Name) + "?database=" + db.Name + "&query=INSERT+INTO+t+FORMAT+RowBinary"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(body))
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", answer)
	var n, sum uint64
	require.NoError(t, db.Open(t, devclickhouse.Reader).QueryRow(t.Context(), "SELECT count(), sum(a) FROM t").Scan(&n, &sum))
	require.EqualValues(t, rows, n)
	require.Equal(t, uint64(rows)*(rows-1)/2, sum)
}

func TestGivenPortsAreUsed(t *testing.T) {
	first := chtest.Start(t)
	httpPort, nativePort := port(t, first.HTTPAddr()), port(t, first.NativeAddr())
	_, err := devclickhouse.Start(t.Context(), devclickhouse.Options{
		Dir: t.TempDir(), HTTPPort: httpPort, NativePort: nativePort, EngineCommand: chtest.Command(t),
	})
	require.ErrorContains(t, err, "port "+strconv.Itoa(httpPort)+" can't be used: stop what listens there, or give another port")
	require.NoError(t, first.Stop(t.Context()))

	second := chtest.StartWith(t, devclickhouse.Options{Dir: t.TempDir(), HTTPPort: httpPort, NativePort: nativePort})
	require.Equal(t, first.HTTPAddr(), second.HTTPAddr())
	require.Equal(t, first.NativeAddr(), second.NativeAddr())
	requireAlive(t, second)
}

func TestSecondEngineOnTheDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := chtest.StartWith(t, devclickhouse.Options{Dir: dir})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := devclickhouse.Start(ctx, devclickhouse.Options{Dir: dir, EngineCommand: chtest.Command(t)})
	require.ErrorIs(t, err, devclickhouse.ErrInUse)
	require.ErrorContains(t, err, "give another data directory")
	require.ErrorContains(t, err, "process "+strconv.Itoa(os.Getpid()))
	requireAlive(t, server)
}

// An engine that some other program runs on the tables does not hold our lock, only ClickHouse's own.
func TestForeignEngineOnTheTablesIsReported(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	chtest.StartWith(t, devclickhouse.Options{Dir: dir})
	require.NoError(t, os.Symlink(filepath.Join(dir, "data"), filepath.Join(other, "data")))
	_, err := devclickhouse.Start(t.Context(), devclickhouse.Options{Dir: other, EngineCommand: chtest.Command(t)})
	require.ErrorIs(t, err, devclickhouse.ErrInUse)
	require.ErrorContains(t, err, "Code: 76")
}

func TestFailedStartTellsTheEnginesReason(t *testing.T) {
	dir := t.TempDir()
	library := filepath.Join(dir, "libchdb.so")
	require.NoError(t, os.WriteFile(library, []byte("not a library"), 0o600))
	_, err := devclickhouse.Start(t.Context(), devclickhouse.Options{Dir: dir, Library: library, EngineCommand: chtest.Command(t)})
	require.ErrorContains(t, err, "load the engine library "+library)

	broken := filepath.Join(dir, "data", "metadata", devclickhouse.Database+".sql")
	require.NoError(t, os.WriteFile(broken, []byte("ATTACH NONSENSE"), 0o600))
	_, err = devclickhouse.Start(t.Context(), devclickhouse.Options{Dir: dir, EngineCommand: chtest.Command(t)})
	require.ErrorContains(t, err, "SYNTAX_ERROR")
	require.ErrorContains(t, err, "engine.log ends with")
}

func TestSignalsEndTheEngineCleanly(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		dir := t.TempDir()
		server, err := devclickhouse.Start(t.Context(), devclickhouse.Options{Dir: dir, EngineCommand: chtest.Command(t)})
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(server.PID(), signal))
		<-server.Done()
		require.ErrorContains(t, server.Err(), "ended by itself", "nobody called Stop")
		require.NotContains(t, server.Err().Error(), "exit status", "it exits with 0")
		require.NoFileExists(t, filepath.Join(dir, "data", "status"), "ClickHouse removes it when it stops cleanly")
	}
}

func TestCrashIsReported(t *testing.T) {
	server, err := devclickhouse.Start(t.Context(), devclickhouse.Options{Dir: t.TempDir(), EngineCommand: chtest.Command(t)})
	require.NoError(t, err)
	require.NoError(t, server.Err())
	require.NoError(t, syscall.Kill(server.PID(), syscall.SIGKILL))
	<-server.Done()
	require.ErrorContains(t, server.Err(), "signal: killed")
}

// parentDir tells a copy of this test binary to start an engine there and wait to be killed.
const parentDir = "DEVCLICKHOUSE_TEST_PARENT_DIR"

func TestEngineEndsWithItsParent(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(parentDir); dir != "" {
		chtest.StartWith(t, devclickhouse.Options{Dir: dir})
		_, err := os.Stdout.WriteString("started\n")
		require.NoError(t, err)
		select {} // Until it is killed.
	}
	dir := t.TempDir()
	parent := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEngineEndsWithItsParent$")
	parent.Env = append(os.Environ(), parentDir+"="+dir)
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line := make([]byte, len("started\n"))
	_, err = out.Read(line)
	require.NoError(t, err)
	require.Equal(t, "started\n", string(line))
	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait())

	// The orphan holds the directory until it is gone, so this start shows that it went.
	requireAlive(t, chtest.StartWith(t, devclickhouse.Options{Dir: dir}))
}

func port(t *testing.T, addr string) int {
	t.Helper()
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	require.NoError(t, err)
	return tcp.Port
}
