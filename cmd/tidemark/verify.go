package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tidemark/internal/demo"
	"tidemark/internal/verify"
)

type verifyCmd struct {
	Topic     []string `placeholder:"NAME" help:"Compare this topic only; may be repeated. Without it: telemetry, tickets, accounts and signals."`
	Partition *int     `placeholder:"N" help:"Compare this partition only, of each topic."`
	From      *int64   `placeholder:"OFFSET" help:"First offset to count. Rows that hold earlier records as well are compared as a lower bound. Without it: the start of the log."`
	To        *int64   `placeholder:"OFFSET" help:"Offset to stop before. Without it: the last checkpoint."`
	Account   string   `placeholder:"ID" help:"Compare the rows of this account only."`
	Rate      float64  `default:"50000" help:"Records a second to read at most (${default}; 0: as many as possible)."`
	ReadAhead int64    `name:"read-ahead" default:"5000000" help:"Records to read beyond the range at most, for rows that are ahead of it (${default})."`
	MaxRows   int      `name:"max-rows" default:"4000000" help:"Rows to hold in memory at most, of one partition at a time (${default}; 300 bytes each). More are refused."`
	JSON      bool     `name:"json" help:"Print JSON instead of tables."`
}

// exitNotCompared says that it is not known whether ClickHouse and the log agree.
const exitNotCompared = 2

// verdictError ends a command with an exit code of its own.
type verdictError struct {
	error
	code int
}

// Unwrap lets each of several problems be printed by itself.
func (e verdictError) Unwrap() []error { return []error{e.error} }

// ExitCode is for kong and fail.
func (e verdictError) ExitCode() int { return e.code }

// Run compares rows with the log: 0 when they are equal, 1 when they differ, 2 when that could not be found out.
func (v *verifyCmd) Run(ctx context.Context, g *globals) error {
	report, err := v.verify(ctx, g)
	if report != nil && (err == nil || report.Differences > 0) {
		if e := v.print(g, report); e != nil {
			err = errors.Join(err, e)
		}
	}
	switch {
	case ctx.Err() != nil:
		return err
	case report != nil && report.Differences > 0:
		return verdictError{errors.Join(fmt.Errorf("ClickHouse and the log disagree: %s", verify.Differences(report.Differences)), err), exitFailure}
	case err != nil:
		return verdictError{err, exitNotCompared}
	case len(report.Skipped) > 0:
		return verdictError{fmt.Errorf("%d partitions could not be compared; why is printed with each", len(report.Skipped)), exitNotCompared}
	case report.Compared() == 0:
		return verdictError{errors.New("nothing was compared: there are no records in that range, or no rows of that account"), exitNotCompared}
	}
	return nil
}

func (v *verifyCmd) verify(ctx context.Context, g *globals) (*verify.Report, error) {
	cfg, err := g.load()
	if err != nil {
		return nil, err
	}
	if v.From != nil && v.To != nil && *v.From >= *v.To || v.Rate < 0 || v.MaxRows < 1 || v.ReadAhead < 0 {
		return nil, errors.New("--from must be less than --to, --max-rows at least 1, --rate and --read-ahead not negative")
	}
	log, catalogue, err := recountOptions(&cfg)
	if err != nil {
		return nil, err
	}
	topics := []*string{&log.Telemetry, &log.Tickets, &log.Accounts, &log.Signals}
	for _, name := range v.Topic {
		if !slices.ContainsFunc(topics, func(topic *string) bool { return *topic == name }) {
			return nil, fmt.Errorf("--topic %s: the pipeline reads %s, %s, %s and %s", name, log.Telemetry, log.Tickets, log.Accounts, log.Signals)
		}
	}
	for _, topic := range topics {
		if len(v.Topic) > 0 && !slices.Contains(v.Topic, *topic) {
			*topic = ""
		}
	}
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Reader)
	if err != nil {
		return nil, err
	}
	defer store.Close() //nolint:errcheck // it only reads
	list, err := forgottenIn(&cfg.Kafka)(ctx)
	if err != nil {
		return nil, err
	}
	bar := newProgressBar(demo.NewLine(g.stderr))
	defer bar.line.End()
	return verify.Run(ctx, store.Conn(), verify.Options{
		Log: log, Catalogue: catalogue.Hash(), Forgotten: list, Quorum: cfg.ClickHouse.InsertQuorum != "",
		Partition: v.Partition, From: v.From, To: v.To, Account: v.Account,
		Rate: v.Rate, ReadAhead: v.ReadAhead, MaxRows: v.MaxRows, Progress: bar.show,
	})
}

func (v *verifyCmd) print(g *globals, report *verify.Report) error {
	if v.JSON {
		encoder := json.NewEncoder(g.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	return report.WriteTable(g.stdout)
}

// progressBar shows how far reading the log is: on a terminal a bar, elsewhere a line now and then.
type progressBar struct {
	line  *demo.Line
	start time.Time // of reading
	last  time.Time
}

func newProgressBar(line *demo.Line) *progressBar { return &progressBar{line: line} }

// barWidth is the width of the bar in characters; barEvery is how often it moves.
const (
	barWidth = 24
	barEvery = 100 * time.Millisecond
)

func (b *progressBar) show(p verify.Progress) {
	now := time.Now()
	if b.start.IsZero() {
		b.start = now
	}
	if now.Sub(b.start) < barEvery || now.Sub(b.last) < barEvery || p.Total == 0 {
		return
	}
	b.last = now
	share := min(1, float64(p.Done)/float64(p.Total))
	rate := float64(p.Done) / max(now.Sub(b.start).Seconds(), 0.001)
	left := time.Duration(float64(p.Total-p.Done) / max(rate, 1) * float64(time.Second)).Round(time.Second)
	source, _, _ := strings.Cut(p.Source, "@")
	b.line.Show(now, "%s %3.0f%% %s · %d of %d offsets · %.0f/s · %s left",
		drawn(share), 100*share, source, p.Done, p.Total, rate, left)
}

// drawn is a bar that is full to a share of 0 to 1.
func drawn(share float64) string {
	full := int(share * barWidth)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "]"
}
