package board

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tidemark/internal/doctor"
	"tidemark/pipeline/lag"
)

func partitionName(topic string, n int32) string { return fmt.Sprintf("%s/%d", topic, n) }

// latestFirst sorts partitions by how long they wait; an unknown time is longer than any.
func latestFirst(all []lag.Source) []lag.Source {
	all = slices.Clone(all)
	waited := func(s lag.Source) float64 {
		if s.LagSeconds == nil {
			return 1e18
		}
		return *s.LagSeconds
	}
	slices.SortStableFunc(all, func(a, b lag.Source) int {
		return cmp.Or(cmp.Compare(waited(b), waited(a)), cmp.Compare(b.LagRecords, a.LagRecords))
	})
	return all
}

func deadLetters(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		Topic  string    `ch:"topic"`
		Reason string    `ch:"reason"`
		N      uint64    `ch:"records"`
		Today  uint64    `ch:"today"`
		Last   time.Time `ch:"last_at"`
		Source string    `ch:"last_source"`
		Offset uint64    `ch:"last_offset"`
		Detail string    `ch:"last_detail"`
	}](ctx, s, "pipeline_dead_letters", []any{named("now", q.now)})
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Dead letters", Empty: "Every record could be counted.", Columns: []Column{
		{Name: "reason", Label: "Cause"}, {Name: "topic", Label: "Topic"}, {Name: "today", Label: "Today", Kind: Number}, {Name: "records", Label: "7 days", Kind: Number},
		{Name: "last_at", Label: "Last", Kind: When}, {Name: "last_record", Label: "That record"}, {Name: "last_detail", Label: "What was wrong with it"},
	}}
	for _, r := range rows {
		source, _, _ := strings.Cut(r.Source, "@")
		t.Rows = append(t.Rows, []Cell{
			Text(r.Reason), Text(r.Topic), Num(Number, r.Today), Num(Number, r.N), At(When, r.Last), Text(fmt.Sprintf("%s, offset %d", source, r.Offset)), Text(r.Detail),
		})
	}
	return t, nil
}

func checkpoints(ctx context.Context, s *store, _ query) (content, error) {
	rows, err := read[struct {
		Source       string    `ch:"source"`
		Offset       uint64    `ch:"offset"`
		Received     uint64    `ch:"received"`
		Applied      uint64    `ch:"applied"`
		Duplicate    uint64    `ch:"duplicate"`
		Filtered     uint64    `ch:"filtered"`
		DeadLettered uint64    `ch:"dead_lettered"`
		Balanced     bool      `ch:"balanced"`
		Watermark    time.Time `ch:"watermark"`
		LastRecord   time.Time `ch:"last_record_at"`
	}](ctx, s, "pipeline_checkpoints", nil)
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Checkpoints", Empty: "Nothing was read yet.", Columns: []Column{
		{Name: "partition", Label: "Partition"}, {Name: "offset", Label: "Offset", Kind: Number}, {Name: "received", Label: "Received", Kind: Number}, {Name: "applied", Label: "Applied", Kind: Number},
		{Name: "duplicate", Label: "Duplicate", Kind: Number}, {Name: "filtered", Label: "Filtered", Kind: Number}, {Name: "dead_lettered", Label: "Dead letters", Kind: Number},
		{Name: "balanced", Label: "Adds up"}, {Name: "last_record_at", Label: "Last record", Kind: When},
	}}
	for _, r := range rows {
		balanced := Cell{Text: "yes", State: "good"}
		if !r.Balanced {
			balanced = Cell{Text: "no: a defect", State: "bad"}
		}
		t.Rows = append(t.Rows, []Cell{
			Text(r.Source), Num(Number, r.Offset), Num(Number, r.Received), Num(Number, r.Applied), Num(Number, r.Duplicate), Num(Number, r.Filtered), Num(Number, r.DeadLettered),
			balanced, At(When, r.LastRecord),
		})
	}
	return t, nil
}

func processes(ctx context.Context, s *store, _ query) (content, error) {
	f := s.pipeline.facts(ctx)
	if f == nil {
		return notGathered, nil
	}
	t := &Table{Caption: "Processes", Empty: "No admin port is known.", Columns: []Column{
		{Name: "process", Label: "Process"}, {Name: "ready", Label: "Ready"}, {Name: "records_per_second", Label: "Records/s", Kind: Number}, {Name: "flush_seconds", Label: "Flush", Kind: Seconds},
		{Name: "windows", Label: "Windows", Kind: Number}, {Name: "memory", Label: "Memory", Kind: Bytes},
	}}
	for i := range f.Processes {
		p := &f.Processes[i]
		row := []Cell{Text(strings.TrimPrefix(p.URL, "http://")), {Text: "does not answer", State: "bad"}, {Kind: Number}, {Kind: Seconds}, {Kind: Number}, {Kind: Bytes}}
		if p.Error == "" && p.Seconds > 0 {
			row[1] = Cell{Text: "yes", State: "good"}
			if !p.Ready {
				said, _, _ := strings.Cut(p.Said, "\n")
				row[1] = Cell{Text: said, State: "warn"}
			}
			row[2] = Num(Number, p.Grown("tidemark_records_total")/p.Seconds)
			if mean, any := p.Mean("tidemark_flush_duration_seconds"); any {
				row[3] = Num(Seconds, mean)
			}
			row[4], row[5] = Num(Number, p.After.Sum("tidemark_source_windows")), Num(Bytes, p.After.Sum("process_resident_memory_bytes"))
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

func servers(ctx context.Context, s *store, _ query) (content, error) {
	f := s.pipeline.facts(ctx)
	if f == nil {
		return notGathered, nil
	}
	one := &Table{Caption: "Servers", Columns: []Column{
		{Name: "server", Label: "Server"}, {Name: "answers", Label: "Answers"}, {Name: "merges", Label: "Merges", Kind: Number}, {Name: "delayed_inserts", Label: "Delayed inserts", Kind: Number},
		{Name: "disk_free", Label: "Disk free", Kind: Percent},
	}}
	parts := &Table{Caption: "Parts", Empty: "No table has parts.", Columns: []Column{
		{Name: "table", Label: "Table"}, {Name: "partition", Label: "Partition"}, {Name: "parts", Label: "Parts", Kind: Number}, {Name: "of_limit", Label: "Of the limit", Kind: Percent}, {Name: "bytes", Label: "Size", Kind: Bytes},
	}}
	for i := range f.Servers {
		server := &f.Servers[i]
		row := []Cell{Text(server.Addr), {Text: "no: " + server.Error, State: "bad"}, {Kind: Number}, {Kind: Number}, {Kind: Percent}}
		if server.Error == "" {
			row = []Cell{row[0], {Text: "yes", State: "good"}, Num(Number, server.Merges), Num(Number, server.Delayed), free(server.Disks)}
		}
		one.Rows = append(one.Rows, row)
		for _, p := range server.Parts {
			of := Cell{Kind: Percent}
			if server.DelayAt > 0 {
				share := float64(p.Count) / float64(server.DelayAt)
				of = Num(Percent, share)
				of.Bar = &share
			}
			parts.Rows = append(parts.Rows, []Cell{Text(p.Table), Text(p.Partition), Num(Number, p.Count), of, Num(Bytes, p.Bytes)})
		}
	}
	return Stack{one, parts}, nil
}

// free is the share that is free of the fullest disk.
func free(disks []doctor.Disk) Cell {
	least := Cell{Kind: Percent}
	for _, d := range disks {
		if d.Total == 0 {
			continue
		}
		if share := float64(d.Free) / float64(d.Total); least.Value == nil || share < *least.Value {
			least = Num(Percent, share)
		}
	}
	return least
}
