package board

import (
	"context"
	"strings"
	"sync"
	"time"

	"tidemark/internal/doctor"
	"tidemark/pipeline/lag"
)

func pipelinePage() page {
	const often = 5 * time.Second
	return page{
		path: "/pipeline", title: "Pipeline", nav: "Pipeline", operators: true,
		intro: "What is read, how far behind it is, and why windows are complete no further. tidemark doctor says the same, and more.",
		panels: []panel{
			{name: "state", title: "State", load: pipelineState, every: often, wide: true},
			{name: "partitions", title: "Partitions", load: partitions, every: often, wide: true, about: "Records that are in Kafka and not yet in ClickHouse, and for how long the oldest of them has waited; the latest first."},
			{name: "watermarks", title: "Watermarks", load: watermarks, every: often, about: "Up to which event time each topic is complete, and what keeps it there."},
			{name: "throughput", title: "Throughput", load: throughput, every: 10 * time.Second, about: "Records a second of each topic that are in ClickHouse, by the minute of their Kafka timestamps, over the last hour."},
			{name: "deadletters", title: "Dead letters", load: deadLetters, every: often, wide: true, about: "Records of the last 7 days that could not be counted, by cause. tidemark dlq shows, redrives and drops them."},
			{name: "checkpoints", title: "Checkpoints", load: checkpoints, every: often, wide: true, about: "Where every record of each partition went: received is the sum of the others, or there is a defect."},
			{name: "processes", title: "Processes", load: processes, every: often, about: "Those that this board was told of; rates are those of the last second."},
			{name: "clickhouse", title: "ClickHouse", load: servers, every: often, about: "Each server, and its partitions with the most parts: beyond a limit inserts are delayed, and then refused."},
		},
	}
}

// gathered shares what was gathered among viewers and panels: it asks Kafka, ClickHouse and every process.
type gathered struct {
	gather func(context.Context) *doctor.Facts

	mu   sync.Mutex
	last *doctor.Facts
	at   time.Time
}

// gatheredFor is for how long facts are shared, and gatherTimeout how long to gather them takes at most.
const (
	gatheredFor   = 2 * time.Second
	gatherTimeout = 20 * time.Second
)

func (g *gathered) facts(ctx context.Context) *doctor.Facts {
	if g.gather == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last == nil || time.Since(g.at) > gatheredFor {
		ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
		defer cancel()
		g.last = g.gather(ctx)
		g.at = time.Now()
	}
	return g.last
}

// notGathered is shown by a board that was not told of Kafka and the processes.
var notGathered = Message{"Not known here", "This board reads ClickHouse only."}

// severities mark the doctor's.
var severities = map[doctor.Severity]string{doctor.Page: "bad", doctor.Ticket: "warn", doctor.Note: "quiet"}

func pipelineState(ctx context.Context, s *store, _ query) (content, error) {
	f := s.pipeline.facts(ctx)
	if f == nil {
		return notGathered, nil
	}
	t := &Table{Caption: "What is wrong", Empty: "Nothing is wrong.", Columns: []Column{
		{Name: "finding", Label: "What is wrong"}, {Name: "severity", Label: "Severity"}, {Name: "since", Label: "Since", Kind: Ago}, {Name: "affects", Label: "Affects"}, {Name: "do", Label: "What to do"}, {Name: "runbook", Label: "Runbook"},
	}}
	for _, one := range doctor.Diagnose(f) {
		t.Rows = append(t.Rows, []Cell{
			{Text: one.Title, Note: strings.Join(one.Evidence, "; ")}, {Text: string(one.Severity), State: severities[one.Severity]}, MaybeAt(Ago, one.Since), Text(one.Affects), Text(strings.Join(one.Do, "; ")), Text(one.Runbook),
		})
	}
	return Stack{stateFigures(f), t}, nil
}

func stateFigures(f *doctor.Facts) Figures {
	group := Figure{Label: "Consumer group", Value: Cell{Text: "Kafka does not answer", State: "bad"}, Note: f.Group}
	records, seconds := Figure{Label: "Lag", Value: Cell{Kind: Number}, Note: "records"}, Figure{Label: "Longest wait", Value: Cell{Kind: Seconds}}
	if f.Lag != nil {
		group.Value = Cell{Text: f.Lag.Group.State, State: "good"}
		if f.Lag.Group.State != "Stable" {
			group.Value.State = "warn"
		}
		records.Value = Num(Number, f.Lag.Total.LagRecords)
		seconds.Value = Maybe(Seconds, f.Lag.Total.LagSeconds)
	}
	complete, dead := Figure{Label: "Complete to", Value: Cell{Kind: Ago}, Note: "the topic that is the latest"}, Figure{Label: "Dead letters", Value: Cell{Kind: Number}, Note: "in the last hour"}
	if f.Store != nil {
		var n uint64
		for _, d := range f.Store.DeadLetters {
			n += d.Records
		}
		dead.Value = Num(Number, n)
		for i, w := range doctor.Watermarks(f) {
			if w.Age > 0 && (i == 0 || complete.Value.Time == nil || w.To.Before(*complete.Value.Time)) {
				complete.Value = At(Ago, w.To)
			}
		}
	}
	return Figures{group, records, seconds, complete, dead}
}

func partitions(ctx context.Context, s *store, q query) (content, error) {
	f := s.pipeline.facts(ctx)
	switch {
	case f == nil:
		return notGathered, nil
	case f.Lag == nil:
		return Message{"Kafka does not answer", f.KafkaError}, nil
	}
	t := &Table{Caption: "Partitions", Query: q, Empty: "The topics have no partitions: tidemark migrate makes them.", Columns: []Column{
		{Name: "partition", Label: "Partition"}, {Name: "lag_records", Label: "Lag", Kind: Number, Help: "Records that are in Kafka and not committed"}, {Name: "lag_seconds", Label: "Waiting", Kind: Seconds},
		{Name: "watermark", Label: "Watermark", Kind: When}, {Name: "committed_offset", Label: "Committed", Kind: Number}, {Name: "end_offset", Label: "End", Kind: Number},
		{Name: "state", Label: "State"}, {Name: "owner", Label: "Owner"}, {Name: "problem", Label: "Problem"},
	}}
	for _, p := range latestFirst(f.Lag.Sources) {
		state := Cell{Text: string(p.State), State: "good"}
		if p.State != lag.OK {
			state.State = "bad"
		}
		t.Rows = append(t.Rows, []Cell{
			Text(partitionName(p.Topic, p.Partition)), Num(Number, p.LagRecords), Maybe(Seconds, p.LagSeconds), MaybeAt(When, p.Watermark), Maybe(Number, p.Committed), Num(Number, p.End),
			state, Text(p.Owner), Text(p.Problem),
		})
	}
	return t, nil
}

func watermarks(ctx context.Context, s *store, _ query) (content, error) {
	f := s.pipeline.facts(ctx)
	switch {
	case f == nil:
		return notGathered, nil
	case f.Store == nil:
		return Message{"ClickHouse does not answer", f.StoreError}, nil
	}
	t := &Table{Caption: "Watermarks", Empty: "Nothing was read yet.", Columns: []Column{
		{Name: "topic", Label: "Topic"}, {Name: "complete_to", Label: "Complete to", Kind: When}, {Name: "age_seconds", Label: "Age", Kind: Seconds}, {Name: "why", Label: "Because"},
	}}
	for _, w := range doctor.Watermarks(f) {
		topic := Text(w.Topic)
		if w.Stands {
			topic.State = "warn"
		}
		row := []Cell{topic, {Kind: When}, {Kind: Seconds}, Text(w.Why)}
		if w.Age > 0 {
			row[1], row[2] = At(When, w.To), Num(Seconds, w.Age)
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

func throughput(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		Topic string  `ch:"topic"`
		At    uint32  `ch:"at"`
		Rate  float64 `ch:"rate"`
	}](ctx, s, "pipeline_throughput", []any{named("now", q.now)})
	if err != nil {
		return nil, err
	}
	c := &Chart{Title: "Records a second", Kind: Number, Empty: "Nothing reached ClickHouse in the last hour."}
	end := q.now.Truncate(time.Minute)
	for at := end.Add(-time.Hour); at.Before(end); at = at.Add(time.Minute) {
		c.Times = append(c.Times, at.Unix())
	}
	for _, r := range rows {
		if n := len(c.Series); n == 0 || c.Series[n-1].Label != r.Topic {
			c.Series = append(c.Series, Series{Label: r.Topic, Values: make([]*float64, len(c.Times))})
		}
		if i := (int64(r.At) - c.Times[0]) / 60; i >= 0 && int(i) < len(c.Times) {
			c.Series[len(c.Series)-1].Values[i] = &r.Rate
		}
	}
	return c, nil
}
