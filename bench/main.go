// Command bench measures what Tidemark costs, beside a bare franz-go consume and beside others that do a part of its job, on
// one machine.
//
// It starts Apache Kafka and ClickHouse, fills topics with realistic telemetry, and checks what each has made of it. The
// figures go to bench/out/latest.json, and from there into docs/performance.md and docs/scaling.md.
package main

//go:generate go run . pages --out out --docs ../docs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"tidemark/internal/devclickhouse"
	"tidemark/pipeline"
)

type flags struct {
	Measures []string `arg:"" optional:"" enum:"throughput,peers,memory,freshness,recovery,catchup,processes,soak,pages" help:"What to measure: throughput (pipeline beside a bare consume), peers (the same, and others beside it), memory, freshness, recovery, catchup, processes, soak; pages only writes the documentation's pages anew from the last figures. Nothing: everything."`

	Events     int           `default:"3000000" help:"Records in the topic of throughput, peers, catchup and processes."`
	Accounts   int           `default:"2000" help:"Accounts they are of."`
	Users      int           `default:"20" help:"Users an account."`
	Minutes    int           `default:"30" help:"Minutes of event time that the topic covers."`
	Partitions int           `default:"8" help:"Partitions of the topic; processes has 32."`
	Runs       int           `default:"3" help:"Runs of each kind, alternately."`
	Peers      []string      `default:"kafkastreams,flink,clickhouse" help:"Peers to measure. Those in Java are left out, with a note, where Java or Maven is missing."`
	Rate       int           `help:"Events a second while freshness is measured; 0: half of the most that the pipeline keeps up with while what sends shares the machine, which is measured first."`
	Measured   time.Duration `default:"60s" help:"How long freshness is measured."`
	Open       int           `default:"1000000" help:"Counter rows of open windows that recovery loads, at least."`
	Windows    int           `default:"1000000" help:"Accounts with open windows for memory."`
	Soak       time.Duration `default:"10m" help:"How long the soak takes, in which a day of event time passes."`
	SoakRate   int           `default:"10000" help:"Events a second of the soak."`
	Seed       uint64        `default:"1" help:"Seed of the records."`
	Out        string        `default:"bench/out" help:"Directory of latest.json and the profiles."`
	Tidemark   string        `default:"bin/tidemark" help:"The binary whose processes are measured (make build)."`
	Docs       string        `default:"docs" help:"Directory of the pages."`
	Profile    bool          `help:"Write cpu.prof and allocs.prof of the pipeline's last run of throughput to the output directory."`
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == engineArg {
		cfg, err := devclickhouse.ParseEngineConfig(strings.TrimPrefix(os.Args[2], "--config-json="))
		if err == nil {
			err = devclickhouse.RunEngine(cfg)
		}
		exit(err)
	}
	var f flags
	kong.Parse(&f, kong.Description("Measures Tidemark. Options through make: make bench ARGS=\"throughput --events 500000\"."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := f.validate()
	if err == nil {
		err = errors.Join(pipeline.TuneMemory(), f.run(ctx)) // both consumers have what tidemark run sets
	}
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (f *flags) validate() error {
	if f.Minutes < 1 || f.Minutes > 600 {
		return errors.New("--minutes must be 1 to 600, so that the topic stays within a day")
	}
	if min(f.Events, f.Accounts, f.Users, f.Partitions, f.Runs, f.Open, f.Windows, f.SoakRate) < 1 || min(f.Soak, f.Measured) < time.Second {
		return errors.New("every number must be at least 1, and every duration at least a second")
	}
	for _, p := range f.Peers {
		if !slices.Contains(peerNames, p) {
			return fmt.Errorf("--peers: there is no %q, only %s", p, strings.Join(peerNames, ", "))
		}
	}
	return nil
}
