// Package explain tells how a number in a view came about: its formula, the rows it is read from and the offset to which
// each goes, what was known of the account, and, re-read from the log by recount, the events themselves.
package explain

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/internal/recount"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

// Options says what to explain.
type Options struct {
	Catalogue *schemas.Catalogue
	Log       recount.Options // where the events are; its Rules are those of Catalogue
	Disorder  time.Duration   // of the topic that the metric's events are in

	Account string
	Metric  schemas.Metric
	Window  Window
	By      string // a feature or a workflow; "" = all
	Scan    int64  // records of each partition to look for events in, at most
	Samples int    // events of each sort to list, at most
}

// Explanation is how a number came about.
type Explanation struct {
	Account     string      `json:"account"`
	Metric      string      `json:"metric"`
	Description string      `json:"description"`
	Unit        string      `json:"unit"`
	Formula     string      `json:"formula"`
	Window      Window      `json:"window"`
	View        string      `json:"view"`
	Column      string      `json:"column"`
	Values      []Value     `json:"values"`
	Inputs      []Input     `json:"inputs"`
	Dimension   []Attribute `json:"dimension"`
	Sources     []Source    `json:"sources"`
}

// Value is what the view shows; By is the feature or workflow, if the view has one.
type Value struct {
	By       string `json:"by,omitempty"`
	Value    string `json:"value"` // "NULL" for none
	Complete bool   `json:"complete"`
}

// Input is what the value is worked out from.
type Input struct {
	Metric  string `json:"metric"`
	Formula string `json:"formula"`
	Table   string `json:"table"`
	Rows    []Row  `json:"rows"`
}

// Row is what a table has of an input from one source. AppliedOffset is the highest offset known to be in it.
type Row struct {
	Source        string `json:"source"`
	Of            string `json:"of,omitempty"` // feature, step or kind of ticket event
	Value         uint64 `json:"value"`
	Unit          string `json:"unit"`
	AppliedOffset *int64 `json:"applied_offset,omitempty"`
}

// Attribute is an attribute of the account as of the window's end, and the record that said so.
type Attribute struct {
	Name      string    `json:"name"`
	Value     string    `json:"value"`
	ValidFrom time.Time `json:"valid_from"`
	Source    string    `json:"source"`
	Offset    uint64    `json:"offset"`
}

// Source is one partition that the window's rows come from, and what its log says of them. Events are those that count
// in any of the inputs.
type Source struct {
	Source         string    `json:"source"`
	AppliedOffset  int64     `json:"applied_offset"`  // the highest in the window's rows
	Checkpoint     int64     `json:"checkpoint"`      // everything below is in ClickHouse
	Watermark      time.Time `json:"watermark"`       // of that checkpoint
	From           int64     `json:"from"`            // offsets [From, To) were read
	To             int64     `json:"to"`              //
	Whole          bool      `json:"whole"`           // they are all that can hold events of the window
	Why            string    `json:"why,omitempty"`   // why they are not
	Events         uint64    `json:"events"`          //
	Late           uint64    `json:"late"`            // of those, came when the watermark had passed the window's end
	Duplicates     uint64    `json:"duplicates"`      // dropped: their message ids had come before
	Samples        []Event   `json:"samples"`         //
	LateSamples    []Event   `json:"late_samples"`    //
	DroppedSamples []Event   `json:"dropped_samples"` // duplicates
}

// Event is a record that counted, or was dropped as a duplicate.
type Event struct {
	Offset int64     `json:"offset"`
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	At     time.Time `json:"at"`
	Logged time.Time `json:"logged"` // the record's timestamp
}

// session is one explanation in the making.
type session struct {
	Options
	conn   driver.Conn
	inputs []schemas.Metric
	result *Explanation
}

// Run explains.
func Run(ctx context.Context, conn driver.Conn, o Options) (*Explanation, error) {
	viewName, err := view(o.Metric, o.Window)
	if err != nil {
		return nil, err
	}
	if o.By != "" && by(o.Metric) == "" {
		return nil, fmt.Errorf("%s is of the account as a whole, not of %q", o.Metric.Name, o.By)
	}
	o.Log.Limits = o.Log.Limits.WithDefaults()
	s := &session{Options: o, conn: conn, inputs: inputs(o.Catalogue, o.Metric), result: &Explanation{
		Account: o.Account, Metric: o.Metric.Name, Description: o.Metric.Description, Unit: o.Metric.Unit,
		Formula: formula(o.Catalogue, o.Metric), Window: o.Window, View: viewName, Column: o.Metric.Column,
	}}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"read the view " + viewName, s.readView}, {"read the inputs", s.readInputs}, {"read what is known of the account", s.readAccount},
		{"read the sources", s.readSources}, {"read the log", s.readLog},
	} {
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return s.result, nil
}

// readView reads the value as people see it.
func (s *session) readView(ctx context.Context) error {
	column := by(s.Metric)
	if column == "" {
		column = "''"
	}
	query := fmt.Sprintf("SELECT toString(%s) AS of_what, ifNull(toString(%s), 'NULL'), complete FROM %s WHERE account_id = ? AND window_start = toDateTime(?, 'UTC')",
		column, s.Metric.Column, s.result.View)
	args := []any{s.Account, s.Window.Start.Unix()}
	if s.By != "" {
		query += " AND of_what = ?"
		args = append(args, s.By)
	}
	return s.query(ctx, query+" ORDER BY of_what", args, func(rows driver.Rows) error {
		var v Value
		err := rows.Scan(&v.By, &v.Value, &v.Complete)
		s.result.Values = append(s.result.Values, v)
		return err
	})
}

func (s *session) query(ctx context.Context, query string, args []any, each func(driver.Rows) error) error {
	return clickhouse.Each(ctx, s.conn, query, each, args...)
}

// readAccount reads the account's records up to the window's end: later ones over earlier ones, and none from before a
// removal.
func (s *session) readAccount(ctx context.Context) error {
	known := map[string]Attribute{}
	var order []string
	err := s.query(ctx, `SELECT valid_from, source, offset, deleted, attributes FROM account_changes
		WHERE account_id = ? AND valid_from <= fromUnixTimestamp64Milli(?) ORDER BY valid_from, source, offset`,
		[]any{s.Account, s.Window.End.UnixMilli()}, func(rows driver.Rows) error {
			var a Attribute
			var deleted uint8
			var attributes map[string]string
			if err := rows.Scan(&a.ValidFrom, &a.Source, &a.Offset, &deleted, &attributes); err != nil {
				return err
			}
			if deleted != 0 {
				clear(known)
			}
			for name, value := range attributes {
				a.Name, a.Value = name, value
				known[name] = a
			}
			return nil
		})
	if err != nil {
		return err
	}
	order = sortedKeys(known)
	for _, name := range order {
		if known[name].Value != "" { // an empty one clears what was known
			s.result.Dimension = append(s.result.Dimension, known[name])
		}
	}
	return nil
}
