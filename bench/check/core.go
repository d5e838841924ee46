package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"tidemark/bench/input"
	"tidemark/pipeline/decode"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
)

// steps are what is counted, in this order: decoding alone; stepping, which decodes, filters duplicates and finds what an event
// counts for; taking, which folds what waits and makes the rows.
var steps = []string{"decode", "step", "take"}

// counted is how many of the input's events are counted, the last ones; those before only warm what learns from them.
const counted = 100

// runCore steps the core over the input, and marks the beginning and the end of each step. The catalogue is the built-in one, or the
// whole one in a file.
func runCore(catalogue string, mark func()) error {
	events, err := input.Events()
	if err != nil {
		return err
	}
	spec, err := coreSpec(catalogue)
	if err != nil {
		return err
	}
	records := make([]worker.Record, len(events))
	for i := range events {
		records[i] = worker.Record{Offset: uint64(i), Time: input.Start.UnixMilli(), Value: events[i]}
	}
	warming, rest := records[:len(records)-counted], records[len(records)-counted:]

	decoder := decode.NewTelemetry(spec.Program, spec.Limits)
	var ev decode.Event
	decodeAll := func(records []worker.Record) error {
		for i := range records {
			if rej := decoder.Decode(records[i].Value, records[i].Time, &ev); rej != nil {
				return rej
			}
		}
		return nil
	}
	core := worker.NewCore(spec, 0)
	stepAll := func(records []worker.Record) error {
		for i := range records {
			if v, rej := core.Step(&records[i]); v > worker.Filtered {
				return fmt.Errorf("record %d: verdict %d, %w", records[i].Offset, v, rej)
			}
		}
		return nil
	}
	if err := decodeAll(warming); err != nil {
		return err
	}
	if err := stepAll(warming); err != nil {
		return err
	}
	core.Take()

	for _, step := range []func() error{
		func() error { return decodeAll(rest) },
		func() error { return stepAll(rest) },
		func() error { core.Take(); return nil },
	} {
		mark()
		err := step()
		mark()
		if err != nil {
			return err
		}
	}
	return nil
}

func coreSpec(file string) (worker.Spec, error) {
	catalogue, err := schemas.Builtin()
	if file != "" {
		var text []byte
		if text, err = os.ReadFile(file); err == nil {
			catalogue, err = schemas.Whole(file, text)
		}
	}
	if err != nil {
		return worker.Spec{}, err
	}
	program, err := schemas.Compile(catalogue)
	if err != nil {
		return worker.Spec{}, err
	}
	return worker.Spec{
		Source: "telemetry/0@bbbbbbbbbbbbbbbbbbbbbb", Program: program,
		Limits:    decode.Limits{MaxFuture: 10 * time.Minute, MaxAge: 43800 * time.Hour},
		Retention: [3]time.Duration{336 * time.Hour, 9600 * time.Hour, 43800 * time.Hour}, Disorder: 5 * time.Minute, DedupRecords: 131072, MaxFeatures: 1000,
	}, nil
}

// stop stops the calling thread: whoever traces it sees that, and lets it go on.
func stop() {
	_ = syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGSTOP) // to oneself: it cannot fail
}
