// Command check guards the core's cost: it counts the instructions that decoding, folding and taking a fixed input need, and
// compares them with the figures that are committed. Instructions are the same on a busy machine, where seconds are not.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
)

// childArg makes this command the process that is counted.
const childArg = "core"

// baseline is what is committed: instructions an event by step, of one architecture's code from one compiler.
type baseline struct {
	Go        string            `json:"go"`
	Arch      string            `json:"arch"`
	Tolerance float64           `json:"tolerance"` // share by which a step may cost more
	PerEvent  map[string]uint64 `json:"instructions_per_event"`
}

// The process's main thread does everything: the one that is counted has no other to trace, and only the thread that traces
// may ask.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) == 3 && os.Args[1] == childArg {
		exit(runCore(os.Args[2], stop))
	}
	file := flag.String("baseline", "bench/check/baseline.json", "the committed figures")
	update := flag.Bool("update", false, "commit to what is counted now: write the file anew")
	catalogue := flag.String("catalogue", "", "count with the whole catalogue in this file, to see what a catalogue costs beside the built-in one")
	flag.Parse()
	exit(check(*file, *catalogue, *update))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-check:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func check(file, catalogue string, update bool) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var was baseline
	if err := json.Unmarshal(text, &was); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if runtime.GOARCH != was.Arch && !update {
		return fmt.Errorf("%s has the figures of %s, this is %s: instructions of one say nothing of the other", file, was.Arch, runtime.GOARCH)
	}
	counts, err := countCore(catalogue)
	if err != nil {
		return err
	}
	is := baseline{Go: runtime.Version(), Arch: runtime.GOARCH, Tolerance: was.Tolerance, PerEvent: map[string]uint64{}}
	for step, n := range counts {
		is.PerEvent[step] = n / counted
	}
	if update && catalogue == "" {
		text, err := json.MarshalIndent(is, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(file, append(text, '\n'), 0o644)
	}
	return compare(was, is)
}

// compare prints each step's figures, and fails where one costs more than it may.
func compare(was, is baseline) error {
	worse := ""
	for _, step := range steps {
		ratio := float64(is.PerEvent[step]) / float64(was.PerEvent[step])
		fmt.Printf("%-7s %6d instructions an event, %6d committed: %.3f\n", step, is.PerEvent[step], was.PerEvent[step], ratio)
		switch {
		case ratio > 1+was.Tolerance:
			worse += fmt.Sprintf(" %s costs %.1f %% more;", step, 100*(ratio-1))
		case ratio < 1-was.Tolerance:
			fmt.Printf("        that is less: commit to it with make bench-check ARGS=--update\n")
		}
	}
	if worse == "" {
		return nil
	}
	if is.Go != was.Go {
		worse += fmt.Sprintf(" the figures are of %s, this is %s;", was.Go, is.Go)
	}
	return fmt.Errorf("%s where %.0f %% are allowed: find out why (go test ./bench -bench Core -cpuprofile), or say in the commit "+
		"what it buys and commit to it with make bench-check ARGS=--update", worse[1:len(worse)-1], 100*was.Tolerance)
}
