package chtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tidemark/internal/devclickhouse"
)

// shared is the one engine of this test binary that Shared hands out. It is global because a test binary has no other
// place that outlives a test; WithShared ends it.
var shared struct {
	sync.Mutex
	wrapped   bool // WithShared is in charge of the end.
	server    *devclickhouse.Server
	dir       string
	databases int
}

// dropLimit bounds the drop of a database at a test's end.
const dropLimit = 5 * time.Minute

// Database is a database of its own on the shared engine.
type Database struct {
	Name   string
	Server *devclickhouse.Server
}

// DSN is the native address with the role's password and this database, as clickhouse-go's ParseDSN reads it.
func (d *Database) DSN(role devclickhouse.Role) string { return d.in(d.Server.DSN(role)) }

// HTTPURL is like DSN for the HTTP interface.
func (d *Database) HTTPURL(role devclickhouse.Role) string { return d.in(d.Server.HTTPURL(role)) }

func (d *Database) in(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // The server made it with the same package.
	}
	u.Path = "/" + d.Name
	return u.String()
}

// Open connects as the role over the native protocol, and closes the connection at the test's end.
func (d *Database) Open(t testing.TB, role devclickhouse.Role) clickhouse.Conn {
	t.Helper()
	return Open(t, d.DSN(role))
}

// Open connects to a server's DSN or HTTPURL, and closes the connection at the test's end.
func Open(t testing.TB, dsn string) clickhouse.Conn {
	t.Helper()
	opts, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close the ClickHouse connection: %v", err)
		}
	})
	return conn
}

// Shared returns an empty database on an engine that all tests of the package share, which saves half a second a test
// and some 300 MB an engine. Roles have the same rights in it as in devclickhouse.Database. It is dropped at the test's end.
// The package's TestMain must use WithShared.
func Shared(t testing.TB) *Database {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.wrapped {
		t.Fatal("chtest.Shared needs a TestMain that ends its engine: goleak.VerifyTestMain(chtest.WithShared(m))")
	}
	if shared.server == nil {
		dir, err := os.MkdirTemp("", "chtest-")
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
		shared.server = start(t, devclickhouse.Options{Dir: dir})
	}
	shared.databases++
	d := &Database{Name: fmt.Sprintf("%s_test_%d", devclickhouse.Database, shared.databases), Server: shared.server}
	// Over the default database: the new one does not exist yet.
	admin := Open(t, d.Server.DSN(devclickhouse.Migrator))
	if err := admin.Exec(t.Context(), "CREATE DATABASE "+d.Name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), dropLimit)
		defer cancel()
		if err := admin.Exec(ctx, "DROP DATABASE "+d.Name+" SYNC"); err != nil {
			t.Error(err)
		}
	})
	return d
}

// WithShared wraps a package's tests so that the engine of Shared is ended, and its data removed, after the last one:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }
func WithShared(m *testing.M) interface{ Run() int } {
	shared.wrapped = true
	return wrapped{m}
}

type wrapped struct{ m *testing.M }

func (w wrapped) Run() int {
	code := w.m.Run()
	if err := endShared(); err != nil {
		fmt.Fprintln(os.Stderr, "chtest:", err)
		return max(code, 1)
	}
	return code
}

func endShared() error {
	shared.Lock()
	defer shared.Unlock()
	var err error
	if shared.server != nil {
		err = end(shared.server)
	}
	if shared.dir != "" {
		err = errors.Join(err, os.RemoveAll(shared.dir))
	}
	return err
}
