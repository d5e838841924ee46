package board

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// alert is what an alert says, now or at a step of its life.
type alert struct {
	Alert    string   `ch:"alert_id"`
	Rule     string   `ch:"rule"`
	Account  string   `ch:"account_id"`
	Severity string   `ch:"severity"`
	Playbook string   `ch:"playbook"`
	Owner    string   `ch:"owner"`
	Level    uint16   `ch:"level"`
	Value    *float64 `ch:"value"`
	Final    bool     `ch:"is_final"`
}

// transition is a step in the life of an alert.
type transition struct {
	alert
	Seq      uint32    `ch:"seq"`
	Kind     string    `ch:"kind"`
	At       time.Time `ch:"at"`
	KnownAt  time.Time `ch:"known_at"`
	Evidence string    `ch:"evidence"`
}

// judgedBy is what stands in an alert's evidence, as docs/triggers.md has it.
type judgedBy struct {
	Description string   `json:"description"`
	Threshold   *float64 `json:"threshold"`
	Previous    *float64 `json:"previous"`
	Trend       *float64 `json:"trend"`
	Inputs      []struct {
		Input string     `json:"input"`
		Value any        `json:"value"`
		From  *time.Time `json:"window_start"`
		To    *time.Time `json:"window_end"`
	} `json:"contributions"`
	Watermark map[string]time.Time `json:"watermark"`
}

// alertEvidence shows the alert that the viewer chose, else the latest.
func alertEvidence(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[transition](ctx, s, "triggers_alert", []any{named("alert", q.get("alert", ""))})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return Message{"No such alert", "Alerts that fire, and those of the past, lead to their evidence."}, nil
	}
	last := rows[len(rows)-1]
	var by judgedBy
	if err := json.Unmarshal([]byte(last.Evidence), &by); err != nil {
		return nil, fmt.Errorf("evidence of %s: %w", last.Alert, err)
	}
	figures := Figures{
		{Label: "Rule", Value: Text(last.Rule), Note: by.Description},
		{Label: "Account", Value: Link(last.Account, accountURL(last.Account))},
		{Label: "Severity", Value: severityCell(last.Severity)},
		{Label: "Value", Value: Maybe(Number, last.Value)},
		{Label: "Threshold", Value: Maybe(Number, by.Threshold)},
		{Label: "Window before", Value: Maybe(Number, by.Previous)},
		{Label: "Trend", Value: Maybe(Percent, by.Trend)},
		{Label: "What to do", Value: Text(last.Playbook), Note: last.Owner},
	}
	for _, topic := range slices.Sorted(maps.Keys(by.Watermark)) {
		figures = append(figures, Figure{Label: "Complete to, " + topic, Value: At(When, by.Watermark[topic])})
	}
	return Stack{figures, inputsTable(by), lifeTable(rows)}, nil
}

func inputsTable(by judgedBy) *Table {
	t := &Table{Caption: "Judged by", Empty: "The evidence names no inputs.", Columns: []Column{
		{Name: "input", Label: "Input"}, {Name: "value", Label: "Value", Kind: Number}, {Name: "window_start", Label: "From", Kind: When}, {Name: "window_end", Label: "To", Kind: When},
	}}
	for _, in := range by.Inputs {
		value := Cell{Kind: Number}
		switch v := in.Value.(type) {
		case nil:
		case float64:
			value = Num(Number, v)
		case bool:
			value = Text(strconv.FormatBool(v))
		default:
			value = Text(fmt.Sprint(v))
		}
		t.Rows = append(t.Rows, []Cell{Text(in.Input), value, MaybeAt(When, in.From), MaybeAt(When, in.To)})
	}
	return t
}

// lifeTable is what became of one alert.
func lifeTable(rows []transition) *Table {
	t := &Table{Caption: "What became of it", Columns: []Column{
		{Name: "seq", Label: "Step", Kind: Number}, {Name: "kind", Label: "What happened"}, {Name: "value", Label: "Value", Kind: Number}, {Name: "level", Label: "Level", Kind: Number},
		{Name: "at", Label: "Judged as of", Kind: When}, {Name: "known_at", Label: "Known at", Kind: When}, {Name: "window", Label: "Judged by"},
	}}
	for _, r := range rows {
		window := "a complete window"
		if !r.Final {
			window = "a window that was not over"
		}
		t.Rows = append(t.Rows, []Cell{Num(Number, r.Seq), Text(r.Kind), Maybe(Number, r.Value), Num(Number, r.Level), At(When, r.At), At(When, r.KnownAt), Text(window)})
	}
	return t
}
