package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"tidemark/pipeline/collect"
	"tidemark/pipeline/eventimport"
)

type importEventsCmd struct {
	Paths  []string `arg:"" name:"path" help:"Files of JSON lines or JSON arrays, also .gz or .zst, or directories of them."`
	DryRun bool     `help:"Say what would be sent and what is refused, and write nothing."`
	State  string   `placeholder:"FILE" default:"tidemark-import.jsonl" help:"File that says what was imported; an import that was cut off goes on by it."`
	Again  bool     `help:"Import files whose content was imported already, too."`
	Rate   int      `placeholder:"EVENTS" help:"Send at most so many events a second."`
}

// maxRefusals is how many refused events are shown.
const maxRefusals = 50

// Run sends the events of the files to Kafka, as the collector would.
func (i *importEventsCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	if i.Rate < 0 {
		return fmt.Errorf("--rate is %d: name how many events a second, or leave it out", i.Rate)
	}
	files, skipped, err := eventimport.Files(i.Paths)
	if err != nil {
		return err
	}
	for _, path := range skipped {
		fmt.Fprintf(g.stderr, "%s is passed over: its name is not one of events\n", path)
	}
	log, err := g.logger(cfg.Log)
	if err != nil {
		return err
	}
	kafka, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return err
	}
	cc, err := collectConfig(&cfg)
	if err != nil {
		return err
	}
	cc.ClientID = "tidemark-import"
	desk, err := collect.NewDesk(cc, log)
	if err != nil {
		return err
	}
	refused, told := 0, time.Now()
	sum, err := eventimport.Run(ctx, files, eventimport.Options{
		Kafka: kafka, Desk: desk, Limits: cc.Limits, State: i.State, Again: i.Again, DryRun: i.DryRun, Rate: i.Rate,
		Refused: func(r eventimport.Refusal) {
			if refused++; refused <= maxRefusals {
				fmt.Fprintf(g.stderr, "%s:%d: %s: %s\n", r.File, r.Line, r.Reason, r.Detail)
			}
		},
		Progress: func(s eventimport.Summary) {
			if time.Since(told) >= 2*time.Second {
				told = time.Now()
				fmt.Fprintf(g.stderr, "file %d of %d: %d events sent, to %s\n", s.Files, len(files), s.Events, s.Last.Format(time.RFC3339))
			}
		},
	})
	i.report(g.stdout, sum)
	if err != nil {
		return fmt.Errorf("%w; the same command goes on from there", err)
	}
	if n := sum.Refusals(); n > 0 && !i.DryRun {
		return errors.New("some events were refused, and the others sent: mend those, and import them from a file of their own")
	}
	return nil
}

func (i *importEventsCmd) report(w io.Writer, s eventimport.Summary) {
	sent := "sent"
	if i.DryRun {
		sent = "would be sent"
	}
	fmt.Fprintf(w, "%d events of %d files %s", s.Events, s.Files, sent)
	if s.Events > 0 {
		fmt.Fprintf(w, ", from %s to %s", s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339))
	}
	fmt.Fprintln(w)
	listCounts(w, "", s.ByKind)
	listCounts(w, "refused: ", s.ByReason)
	for _, line := range []struct {
		n    int
		what string
	}{
		{s.Parked, "wait for their account"},
		{s.Resumed, "events were sent or refused by a run before"},
		{s.FilesKnown, "files were imported before: --again imports them again"},
	} {
		if line.n > 0 {
			fmt.Fprintf(w, "  %d %s\n", line.n, line.what)
		}
	}
}

func listCounts[K ~string](w io.Writer, prefix string, counts map[K]int) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "  %s%s %d\n", prefix, string(name), counts[name])
	}
}
