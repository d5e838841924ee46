package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"tidemark/bench/figures"
	"tidemark/bench/pages"
	"tidemark/internal/config"
)

// bench is what all measures share.
type bench struct {
	*flags
	cfg      config.Config
	services *services
	dir      string // of the servers and of what peers keep
	report   figures.Report
	log      *zap.Logger
	topic    *written // what throughput, peers and catchup read; nil until it is needed
	touched  int      // keeps the bare consume's reads from being optimised away
}

// measure makes one or more sections.
type measure struct {
	name    string
	servers bool
	run     func(*bench, context.Context) error
}

// measures in the order in which they run: freshness takes its rate from throughput.
var measures = []measure{
	{"throughput", true, (*bench).measureThroughput},
	{"peers", true, (*bench).measurePeers},
	{"memory", false, (*bench).measureMemory},
	{"freshness", true, (*bench).measureFreshness},
	{"recovery", true, (*bench).measureRecovery},
	{"catchup", true, (*bench).measureCatchUp},
	{"processes", true, (*bench).measureProcesses},
	{"soak", true, (*bench).measureSoak},
}

// chosen are the measures that were asked for. peers has all that throughput has.
func (f *flags) chosen() []measure {
	var out []measure
	for _, m := range measures {
		asked := len(f.Measures) == 0 || slices.Contains(f.Measures, m.name)
		covered := m.name == "throughput" && (len(f.Measures) == 0 || slices.Contains(f.Measures, "peers"))
		if asked && !covered {
			out = append(out, m)
		}
	}
	return out
}

func (f *flags) run(ctx context.Context) (err error) {
	if err := os.MkdirAll(f.Out, 0o750); err != nil {
		return fmt.Errorf("make the output directory: %w", err)
	}
	b := &bench{flags: f, cfg: config.Default(), log: logger()}
	path := filepath.Join(f.Out, "latest.json")
	if b.report, err = figures.Load(path); err != nil {
		return err
	}
	chosen := f.chosen()
	if slices.ContainsFunc(chosen, func(m measure) bool { return m.servers }) {
		if b.dir, err = os.MkdirTemp("", "tidemark-bench-"); err != nil {
			return fmt.Errorf("make a directory for the servers: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
		self, err := os.Executable()
		if err != nil {
			return err
		}
		fmt.Println("Starting Kafka and ClickHouse.")
		if b.services, err = startServices(ctx, b.dir, self, os.Stdout); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.services.close()) }()
	}
	for _, m := range chosen {
		fmt.Printf("\nMeasuring %s (alone: make bench ARGS=%s).\n", m.name, m.name)
		if err := m.run(b, ctx); err != nil {
			return fmt.Errorf("measure %s: %w", m.name, err)
		}
		if err := b.report.Save(path); err != nil {
			return err
		}
	}
	return pages.Write(f.Docs, b.report)
}

// section begins the figures of a measure.
func (b *bench) section(setup string) *figures.Section {
	s := &figures.Section{
		At: time.Now().UTC().Truncate(time.Second), Commit: commit(), Go: runtime.Version(), CPUs: runtime.NumCPU(), Setup: setup,
	}
	if b.services != nil {
		s.Kafka = b.services.kafka
	}
	return s
}

// keep puts a measure's figures in the place of its last ones.
func (b *bench) keep(name string, s *figures.Section) {
	s.Command = command(name, os.Args[1:])
	b.report[name] = s
	s.Print(os.Stdout)
}

// flagsOf are the flags that change a measure's figures.
var flagsOf = map[string]string{
	"throughput": "events accounts users minutes partitions runs seed", "peers": "events accounts users minutes partitions runs seed peers",
	"memory": "windows", "freshness": "accounts users partitions rate measured seed", "recovery": "open partitions runs",
	"catchup": "events accounts users minutes partitions measured seed", "processes": "events accounts users minutes runs seed",
	"soak": "accounts users partitions soak soak-rate seed",
}

// command is what measures a section again: one measure, and those of the flags given that matter to it.
func command(name string, args []string) string {
	command := []string{name}
	for i, arg := range args {
		flag, _, joined := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !strings.HasPrefix(arg, "--") || !slices.Contains(strings.Fields(flagsOf[name]), flag) {
			continue
		}
		command = append(command, arg)
		if !joined && i+1 < len(args) {
			command = append(command, args[i+1])
		}
	}
	if len(command) == 1 {
		return "make bench ARGS=" + name
	}
	return fmt.Sprintf("make bench ARGS=%q", strings.Join(command, " "))
}

// commit names the code that was measured, as far as it can be known.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// logger shows warnings and errors: a benchmark with retries in it is not one to believe.
func logger() *zap.Logger {
	cfg := zap.NewDevelopmentConfig()
	cfg.Level = zap.NewAtomicLevelAt(zap.WarnLevel)
	return zap.Must(cfg.Build())
}
