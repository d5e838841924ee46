package board

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/internal/explain"
)

// Question asks how a number came about.
type Question struct {
	Account, Metric, Window, By string // as tidemark explain takes them
}

// Explain answers a Question with what one user of ClickHouse may read, and with the log.
type Explain func(ctx context.Context, conn driver.Conn, q Question) (*explain.Explanation, error)

func whyPage() page {
	return page{
		path: "/accounts/{account}/why", title: "Why", back: accountURL,
		intro:  "How a number came about: its formula, the rows that it is read from, what was known of the account, and the events themselves, read from the log once more.",
		panels: []panel{{name: "why", title: "The number", load: why, wide: true}},
	}
}

func why(ctx context.Context, s *store, q query) (content, error) {
	if s.explain == nil {
		return notGathered, nil
	}
	e, err := s.explain(ctx, s.conn, Question{q.account, q.get("metric", ""), q.get("window", ""), q.get("by", "")})
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return Message{"That cannot be told", err.Error()}, nil
	}
	all := Stack{explained(e), Message{e.Metric + ": " + e.Description, fmt.Sprintf("%s.%s = %s", e.View, e.Column, e.Formula)}}
	return append(all, explainedInputs(e), explainedAccount(e), explainedLog(e), explainedEvents(e)), nil
}

func explained(e *explain.Explanation) content {
	if len(e.Values) == 0 {
		return Message{"There is no such number", "The view " + e.View + " has no row of this account and window."}
	}
	t := &Table{Caption: e.Metric + ", " + e.Window.String(), Columns: []Column{{Name: "value", Label: "Value"}, {Name: "unit", Label: "Unit"}, {Name: "of", Label: "Of"}, {Name: "window", Label: "Window"}}}
	for _, v := range e.Values {
		window := Cell{Text: "complete", State: "good"}
		if !v.Complete {
			window = Cell{Text: "not complete yet: provisional", State: "quiet"}
		}
		t.Rows = append(t.Rows, []Cell{Text(v.Value), Text(e.Unit), Text(v.By), window})
	}
	return t
}

func explainedInputs(e *explain.Explanation) *Table {
	t := &Table{Caption: "Rows that it is worked out from", Empty: "No row.", Columns: []Column{
		{Name: "input", Label: "Input"}, {Name: "formula", Label: "Formula"}, {Name: "table", Label: "Table"}, {Name: "source", Label: "Partition"}, {Name: "of", Label: "Of"},
		{Name: "value", Label: "Value", Kind: Number}, {Name: "unit", Label: "Unit"}, {Name: "applied_offset", Label: "Up to offset", Kind: Number},
	}}
	for _, in := range e.Inputs {
		for _, r := range in.Rows {
			t.Rows = append(t.Rows, []Cell{Text(in.Metric), Text(in.Formula), Text(in.Table), Text(withoutTopicID(r.Source)), Text(r.Of), Num(Number, r.Value), Text(r.Unit), Maybe(Number, r.AppliedOffset)})
		}
	}
	return t
}

func explainedAccount(e *explain.Explanation) *Table {
	t := &Table{Caption: "What was known of the account at the window's end", Empty: "Nothing was known of the account at the window's end.", Columns: []Column{
		{Name: "attribute", Label: "Attribute"}, {Name: "value", Label: "Value"}, {Name: "valid_from", Label: "Since", Kind: When}, {Name: "record", Label: "Record"},
	}}
	for _, a := range e.Dimension {
		t.Rows = append(t.Rows, []Cell{Text(a.Name), Text(a.Value), At(When, a.ValidFrom), Text(fmt.Sprintf("%s, offset %d", withoutTopicID(a.Source), a.Offset))})
	}
	return t
}

func explainedLog(e *explain.Explanation) *Table {
	t := &Table{Caption: "The log of each partition", Empty: "No record of the window has been counted for this account, so no log was read.", Columns: []Column{
		{Name: "source", Label: "Partition"}, {Name: "events", Label: "Events", Kind: Number}, {Name: "late", Label: "Of those late", Kind: Number}, {Name: "duplicates", Label: "Duplicates dropped", Kind: Number},
		{Name: "from", Label: "Read from", Kind: Number}, {Name: "to", Label: "To", Kind: Number}, {Name: "watermark", Label: "Watermark", Kind: When}, {Name: "whole", Label: "All that can matter"},
	}}
	for _, s := range e.Sources {
		whole := Cell{Text: "yes", State: "good"}
		if !s.Whole {
			whole = Cell{Text: "no: " + s.Why, State: "warn"}
		}
		t.Rows = append(t.Rows, []Cell{
			Text(withoutTopicID(s.Source)), Num(Number, s.Events), Num(Number, s.Late), Num(Number, s.Duplicates), Num(Number, s.From), Num(Number, s.To), At(When, s.Watermark), whole,
		})
	}
	return t
}

func explainedEvents(e *explain.Explanation) *Table {
	t := &Table{Caption: "Some of the events", Empty: "No event was found in the log.", Columns: []Column{
		{Name: "id", Label: "Id"}, {Name: "event", Label: "Event"}, {Name: "became", Label: "Was"}, {Name: "at", Label: "Event time", Kind: When}, {Name: "logged", Label: "In Kafka", Kind: When},
		{Name: "record", Label: "Record"},
	}}
	for _, s := range e.Sources {
		for _, sort := range []struct {
			was    Cell
			events []explain.Event
		}{{Text("counted"), s.Samples}, {Cell{Text: "late, and counted", State: "quiet"}, s.LateSamples}, {Cell{Text: "a duplicate, dropped", State: "warn"}, s.DroppedSamples}} {
			for _, ev := range sort.events {
				t.Rows = append(t.Rows, []Cell{
					Text(ev.ID), Text(ev.Name), sort.was, At(When, ev.At), At(When, ev.Logged), Text(fmt.Sprintf("%s, offset %d", withoutTopicID(s.Source), ev.Offset)),
				})
			}
		}
	}
	return t
}

func withoutTopicID(source string) string {
	name, _, _ := strings.Cut(source, "@")
	return name
}
