// Package chtest gives tests a real ClickHouse: importing it is all that a test package has to do.
package chtest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"tidemark/internal/devclickhouse"
)

// childArg is the first argument of a test binary that is run again as the engine.
const childArg = "chtest-clickhouse-engine"

// init makes every test binary that imports this package able to be the engine: a test binary run with childArg becomes one
// before TestMain or a flag parser sees the arguments, so no test package needs a TestMain for it. An argument is used
// rather than a variable because children inherit variables, and a test binary run by a test would turn into an engine.
func init() {
	if len(os.Args) != 3 || os.Args[1] != childArg {
		return
	}
	cfg, err := devclickhouse.ParseEngineConfig(strings.TrimPrefix(os.Args[2], "--config-json="))
	if err == nil {
		err = devclickhouse.RunEngine(cfg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Start starts an engine with its data in the test's temporary directory and ends it at the test's end. A test is skipped
// if the engine has to be fetched and npm is missing, unless CI=true; any other failure fails the test.
func Start(t testing.TB) *devclickhouse.Server {
	t.Helper()
	return StartWith(t, devclickhouse.Options{Dir: t.TempDir()})
}

// StartWith is Start with the caller's options, such as the directory of an engine that was killed.
func StartWith(t testing.TB, opts devclickhouse.Options) *devclickhouse.Server {
	t.Helper()
	server := start(t, opts)
	t.Cleanup(func() {
		if err := end(server); err != nil {
			t.Error(err)
		}
	})
	return server
}

// end kills the engine, unless it has ended, and waits for it. A clean stop would take 5 s with clients connected, for the
// sake of data that is thrown away; that it works is tested in devclickhouse.
func end(server *devclickhouse.Server) error {
	err := server.Err()
	server.Kill()
	<-server.Done()
	return err
}

func start(t testing.TB, opts devclickhouse.Options) *devclickhouse.Server {
	t.Helper()
	if len(opts.EngineCommand) == 0 {
		opts.EngineCommand = Command(t)
	}
	server, err := devclickhouse.Start(t.Context(), opts)
	if errors.Is(err, devclickhouse.ErrNoNPM) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// Command is the Options.EngineCommand that runs this test binary as the engine.
func Command(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, childArg}
}
