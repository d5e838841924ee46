// Package cataloguetest runs the tests that users write for their catalogue: events in, numbers expected, by the pipeline and
// the views themselves, on an embedded broker and an embedded ClickHouse.
package cataloguetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tidemark/schemas"
)

// File is a file of tests.
type File struct {
	Catalogue string    `yaml:"catalogue"` // beside the file; empty: the one that the caller has
	Now       time.Time `yaml:"now"`       // what the views take for the present
	Tests     []Test    `yaml:"tests"`

	Pos schemas.Pos `yaml:"-"`
}

// Test is what happens, and what the views must then say. Records are in the formats of docs/formats.md.
type Test struct {
	Name        string           `yaml:"name"`
	Accounts    []map[string]any `yaml:"accounts"`
	Events      []map[string]any `yaml:"events"` // Segment messages
	Tickets     []map[string]any `yaml:"tickets"`
	Signals     []map[string]any `yaml:"signals"`
	DeadLetters int              `yaml:"dead_letters"` // records that are to be refused
	Expect      []Expectation    `yaml:"expect"`

	Pos schemas.Pos `yaml:"-"`
}

// Expectation is about the one row of a view where all conditions hold, or about how many rows there are.
type Expectation struct {
	View    string         `yaml:"view"`
	Where   map[string]any `yaml:"where"`
	Columns map[string]any `yaml:"columns"`
	Rows    *int           `yaml:"rows"` // default 1

	Pos schemas.Pos `yaml:"-"`
}

// Read reads a file of tests. Errors name the file and the line.
func Read(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tests: %w", err)
	}
	var f File
	if err := schemas.DecodeStrict(path, data, &f); err != nil {
		return nil, err
	}
	var errs []error
	bad := func(at schemas.Pos, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
	}
	if f.Now.IsZero() {
		bad(schemas.Pos{File: path}, "now is missing: the time that the views take for the present, such as now: 2026-03-10T12:00:00Z")
	}
	if len(f.Tests) == 0 {
		bad(schemas.Pos{File: path}, "there are no tests")
	}
	for _, t := range f.Tests {
		if t.Name == "" {
			bad(t.Pos, "a test needs a name")
		}
		if len(t.Expect) == 0 {
			bad(t.Pos, "test %q expects nothing", t.Name)
		}
		for _, e := range t.Expect {
			if e.View == "" || len(e.Columns) == 0 && e.Rows == nil {
				bad(e.Pos, "test %q: an expectation needs view, and columns or rows", t.Name)
			}
			if e.Rows != nil && *e.Rows != 1 && len(e.Columns) > 0 {
				bad(e.Pos, "test %q: columns are of one row: leave rows out", t.Name)
			}
		}
	}
	if f.Catalogue != "" && !filepath.IsAbs(f.Catalogue) {
		f.Catalogue = filepath.Join(filepath.Dir(path), f.Catalogue)
	}
	return &f, errors.Join(errs...)
}

// Record is a record of a topic.
type Record struct {
	Topic, Key string
	Value      []byte
	At         time.Time // the record's own time, which is when it was received unless it says otherwise
}

// times are the fields that say when something happened or was received, the first one that is there counting.
var times = []string{"receivedAt", "sentAt", "timestamp", "originalTimestamp", "occurred_at", "responded_at", "reported_at", "at", "defined_at"}

// Records are those of a test, in the order in which they are sent: what is known of accounts first. One that says no time is of now.
func (t Test) Records(now time.Time) ([]Record, error) {
	var out []Record
	for _, of := range []struct {
		topic string
		all   []map[string]any
	}{{Accounts, t.Accounts}, {Telemetry, t.Events}, {Tickets, t.Tickets}, {Signals, t.Signals}} {
		for i, fields := range of.all {
			value, err := json.Marshal(fields)
			if err != nil {
				return nil, fmt.Errorf("%s: test %q: record %d of %s: %w", t.Pos, t.Name, i+1, of.topic, err)
			}
			r := Record{Topic: of.topic, Value: value, At: now}
			if key, ok := fields["account_id"].(string); ok {
				r.Key = key
			}
			for _, name := range times {
				if at, ok := moment(fields[name]); ok {
					r.At = at
					break
				}
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// moment is a time as YAML or JSON have it.
func moment(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		at, err := time.Parse(time.RFC3339, v)
		return at, err == nil
	}
	return time.Time{}, false
}
