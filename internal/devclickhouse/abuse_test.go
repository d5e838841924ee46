//go:build linux && !noengine

package devclickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
)

// authenticationFailed is ClickHouse's error code for a wrong password.
const authenticationFailed = 516

// requireAlive proves that the engine still is the same process and serves both ports.
func requireAlive(t *testing.T, server *devclickhouse.Server) {
	t.Helper()
	require.NoError(t, server.Err())
	for _, dsn := range []string{server.DSN(devclickhouse.Reader), server.HTTPURL(devclickhouse.Reader)} {
		var one uint8
		require.NoError(t, chtest.Open(t, dsn).QueryRow(t.Context(), "SELECT 1").Scan(&one), "%s", tailOfLog(t, server))
	}
}

func tailOfLog(t *testing.T, server *devclickhouse.Server) string {
	t.Helper()
	text, err := os.ReadFile(server.LogFile())
	require.NoError(t, err)
	return string(text[max(0, len(text)-4096):])
}

func TestWrongPasswordsLeaveItAlive(t *testing.T) {
	t.Parallel()
	server := chtest.Start(t)
	for _, address := range []string{
		"clickhouse://writer:wrong@" + server.NativeAddr(),
		"http://writer:wrong@" + server.HTTPAddr(),
		"clickhouse://nobody:wrong@" + server.NativeAddr(),
	} {
		for range 20 {
			opts, err := clickhouse.ParseDSN(address)
			require.NoError(t, err)
			conn, err := clickhouse.Open(opts)
			require.NoError(t, err)
			requireCode(t, conn.Ping(t.Context()), authenticationFailed)
			require.NoError(t, conn.Close())
		}
	}
	requireAlive(t, server)
}

// hostile holds what a broken or malicious client may send first. None of it is answered or read before the
// connection is reset.
func hostile(rng *rand.Rand) []string {
	junk := make([]byte, 1+rng.IntN(4096))
	for i := range junk {
		junk[i] = byte(rng.Uint32())
	}
	hello := "\x00\x06fuzzer\x18\x06\xb2\xa9\x03\x08tidemark\x06writer\x05wrong"
	return []string{
		string(junk),
		"",
		"\n\n\n\n",
		"GET /ping HTTP/1.1\r\nHost: x",
		"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n",
		"GET /ping HTTP/1.1\r\nX: " + strings.Repeat("y", 1<<20) + "\r\n\r\n",
		"POST /?query=INSERT+INTO+t+FORMAT+CSV HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nSELECT 1",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nSELECT 1",
		"GET /play HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /?user=writer&password=wrong&query=SELECT+1 HTTP/1.1\r\nHost: x\r\n\r\n",
		hello,
		hello[:len(hello)/2],
		hello + string(junk),
		"\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"\x01" + string(junk),
	}
}

func TestHostileBytesLeaveItAlive(t *testing.T) {
	const rounds = 15
	server := chtest.Start(t)
	var clients errgroup.Group
	for worker, addr := range []string{server.HTTPAddr(), server.NativeAddr(), server.HTTPAddr(), server.NativeAddr()} {
		clients.Go(func() error {
			rng := rand.New(rand.NewPCG(uint64(worker), 1))
			for range rounds {
				for _, bytes := range hostile(rng) {
					if err := sendAndReset(addr, bytes, rng.IntN(2) == 0); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	require.NoError(t, clients.Wait())
	requireAlive(t, server)
}

// sendAndReset sends the bytes, reads a little of an answer if it is to linger, and resets the connection. It fails only if
// it can't connect; what the engine makes of the bytes is its own affair.
func sendAndReset(addr, bytes string, linger bool) error {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return err
	}
	_, _ = conn.Write([]byte(bytes)) // The engine may hang up halfway.
	if linger {
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		_, _ = conn.Read(make([]byte, 512)) // No answer is an answer.
	}
	// With a linger time of 0 the close sends RST.
	return errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close())
}

// The engine writes to sockets that are gone, which may raise SIGPIPE in any of its threads. That is also raised by hand,
// because the engine hides it from most of its writes.
func TestClientsThatResetUnderLoadLeaveItAlive(t *testing.T) {
	const clients, rounds = 6, 3
	server := chtest.Start(t)
	var group errgroup.Group
	for range clients {
		group.Go(func() error {
			for range rounds {
				if err := errors.Join(resetHTTP(t.Context(), server), resetNative(t.Context(), server)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	requireAlive(t, server)

	threads, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(server.PID()), "task"))
	require.NoError(t, err)
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		require.NoError(t, err)
		if err := unix.Tgkill(server.PID(), id, syscall.SIGPIPE); !errors.Is(err, syscall.ESRCH) {
			require.NoError(t, err)
		}
	}
	requireAlive(t, server)
}

// resetHTTP reads the start of a large answer and resets the connection.
func resetHTTP(ctx context.Context, server *devclickhouse.Server) error {
	transport := &http.Transport{DialContext: dialReset}
	defer transport.CloseIdleConnections()
	url := server.HTTPURL(devclickhouse.Reader) + "?query=SELECT+number,+toString(number)+FROM+numbers(3000000)+FORMAT+TSV"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.Replace(url, "/"+devclickhouse.Database+"?", "/?", 1), nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, resp.Body, 1<<16)
	_ = resp.Body.Close() // Cut short on purpose.
	if err != nil {
		return fmt.Errorf("read the start of the answer: %w", err)
	}
	return nil
}

// resetNative reads the start of a large answer and resets the connection.
func resetNative(ctx context.Context, server *devclickhouse.Server) error {
	opts, err := clickhouse.ParseDSN(server.DSN(devclickhouse.Reader))
	if err != nil {
		return err
	}
	var raw net.Conn
	opts.DialContext = func(ctx context.Context, addr string) (net.Conn, error) {
		conn, err := dialReset(ctx, "tcp", addr)
		raw = conn
		return conn, err
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return err
	}
	rows, err := conn.Query(ctx, "SELECT number, toString(number) FROM numbers(3000000)")
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	for range 1000 {
		if !rows.Next() {
			return errors.Join(fmt.Errorf("read the start of the answer: %w", rows.Err()), conn.Close())
		}
	}
	_ = raw.Close() // The reset that this is about; what follows only tidies up the client.
	_, _ = rows.Close(), conn.Close()
	return nil
}

func dialReset(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetLinger(0)
}
