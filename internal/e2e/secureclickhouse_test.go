package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/config"
	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/schemas/secret"
	"tidemark/sinks/clickhouse"
)

// terminate takes TLS connections, from clients that show a certificate of the authority, and passes on to a plain address what comes.
func (a *authority) terminate(to string) string {
	a.t.Helper()
	certFile, keyFile, _ := a.issue("clickhouse")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	require.NoError(a.t, err)
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	})
	require.NoError(a.t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go pass(from, to)
		}
	}()
	a.t.Cleanup(func() {
		require.NoError(a.t, listener.Close())
		<-ended
	})
	return listener.Addr().String()
}

// pass copies both ways until either end closes.
func pass(from net.Conn, address string) {
	defer from.Close() //nolint:errcheck // nothing is left to lose
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close() //nolint:errcheck // likewise
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}()
	_, _ = io.Copy(to, from)
	_ = to.Close()
	<-back
}

// asks asks ClickHouse who one is.
func asks(t *testing.T, cfg clickhouse.Config) (string, error) {
	t.Helper()
	cfg.DialTimeout, cfg.ReadTimeout = time.Minute, time.Minute
	client, err := clickhouse.Open(cfg)
	require.NoError(t, err)
	defer client.Close() //nolint:errcheck // it only reads
	var user string
	err = client.Conn().QueryRow(t.Context(), "SELECT currentUser()").Scan(&user)
	return user, err
}

// TestClickHouseOverTLS: the embedded engine has no TLS of its own, so that it is put before it.
func TestClickHouseOverTLS(t *testing.T) {
	db := chtest.Shared(t)
	dsn, err := url.Parse(db.DSN(devclickhouse.Reader))
	require.NoError(t, err)
	password, _ := dsn.User.Password()
	a, stranger := newAuthority(t), newAuthority(t)
	for name, to := range map[string]string{"native": db.Server.NativeAddr(), "http": db.Server.HTTPAddr()} {
		t.Run(name, func(t *testing.T) {
			addr := a.terminate(to)
			ask := func(trusted string, from *authority) (string, error) {
				settings := config.TLS{Enabled: true, CAFile: trusted}
				if from != nil {
					settings.CertFile, settings.KeyFile, _ = from.issue("reader")
				}
				conf, err := settings.Client()
				require.NoError(t, err)
				return asks(t, clickhouse.Config{Addr: []string{addr}, HTTP: name == "http", Database: db.Name, User: "reader", Password: password, TLS: conf})
			}
			user, err := ask(a.ca, a)
			require.NoError(t, err)
			require.Equal(t, "reader", user)
			_, err = ask(stranger.ca, a)
			require.ErrorContains(t, err, "certificate signed by unknown authority")
			_, err = ask(a.ca, stranger)
			require.Error(t, err, "a certificate of another authority")
			_, err = ask(a.ca, nil)
			require.Error(t, err, "no certificate")

			// The authorities are renewed under a client that is open.
			settings := config.TLS{Enabled: true, CAFile: filepath.Join(t.TempDir(), "ca.pem")}
			settings.CertFile, settings.KeyFile, _ = a.issue("reader")
			stranger.trust(settings.CAFile)
			conf, err := settings.Client()
			require.NoError(t, err)
			client, err := clickhouse.Open(clickhouse.Config{
				Addr: []string{addr}, HTTP: name == "http", Database: db.Name, User: "reader", Password: password, TLS: conf, DialTimeout: time.Minute, ReadTimeout: time.Minute,
			})
			require.NoError(t, err)
			defer client.Close() //nolint:errcheck // it only asks
			require.ErrorContains(t, client.Conn().Ping(t.Context()), "certificate signed by unknown authority")
			a.trust(settings.CAFile)
			require.NoError(t, client.Conn().Ping(t.Context()))
		})
	}
}

// TestClickHousePasswordIsRotated: the server's password and the file change, and a client that was open before goes on.
func TestClickHousePasswordIsRotated(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "password")
	opts := devclickhouse.Options{Dir: dir}
	var clients []*clickhouse.Client
	for _, password := range []string{"first", "second"} {
		require.NoError(t, os.WriteFile(file, []byte(password+"\n"), 0o600))
		opts.Passwords = map[devclickhouse.Role]string{devclickhouse.Writer: password}
		server := chtest.StartWith(t, opts)
		if clients == nil {
			now, err := secret.File(file)
			require.NoError(t, err)
			for _, cfg := range []clickhouse.Config{{Addr: []string{server.NativeAddr()}}, {Addr: []string{server.HTTPAddr()}, HTTP: true}} {
				cfg.Database, cfg.User, cfg.PasswordNow, cfg.DialTimeout, cfg.ReadTimeout = "tidemark", "writer", now.Reveal, time.Minute, time.Minute
				client, err := clickhouse.Open(cfg)
				require.NoError(t, err)
				t.Cleanup(func() { _ = client.Close() })
				clients = append(clients, client)
			}
			opts.NativePort, opts.HTTPPort = port(t, server.NativeAddr()), port(t, server.HTTPAddr())
		}
		for _, client := range clients {
			require.Eventually(t, func() bool { // the connections of before are found broken one by one
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				return client.Conn().Ping(ctx) == nil
			}, 5*time.Minute, 50*time.Millisecond, password)
		}
		server.Kill()
		<-server.Done()
	}
}

func port(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}
