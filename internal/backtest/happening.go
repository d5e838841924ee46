package backtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidemark/internal/cataloguetest"
	"tidemark/schemas/rules"
)

// Happening is what happens to an account, as records of docs/formats.md. The pipeline folds them, and the rules read the views.
type Happening struct {
	Account  string           `yaml:"account"` // which has no other test: those of a file happen at the same time
	Accounts []map[string]any `yaml:"accounts"`
	Events   []map[string]any `yaml:"events"`
	Tickets  []map[string]any `yaml:"tickets"`
	Signals  []map[string]any `yaml:"signals"`
}

// Happens reports whether the test is of records, not of values.
func (h *Happening) Happens() bool {
	return h.Account != "" || len(h.Accounts)+len(h.Events)+len(h.Tickets)+len(h.Signals) > 0
}

// Happens reports whether any test is of records, for which Happen is needed.
func (f *File) Happens() bool {
	return slices.ContainsFunc(f.Tests, func(t Test) bool { return t.Happens() })
}

func (t *Test) checkRecords(now time.Time) error {
	var errs []error
	bad := func(key, text string) {
		errs = append(errs, fmt.Errorf("%s: test %q: %s", t.Pos.At(key), t.Name, text))
	}
	if t.Account == "" {
		bad("account", "account is missing: the one that the records are of and the rules are played on")
	}
	if len(t.Values) > 0 {
		bad("values", "it has values and records: give one or the other")
	}
	if now.IsZero() {
		bad("start", "now is missing at the top of the file: the last instant, such as now: 2026-04-01T00:00:00Z")
	} else if !now.After(t.Start) {
		bad("start", "start is not before now")
	}
	return errors.Join(errs...)
}

// Happen folds the records of all tests and reads what the views then show of the past. The views are of the file's time and the rules' catalogue.
func (f *File) Happen(ctx context.Context, runner *cataloguetest.Runner, all []*rules.Rule) (*History, error) {
	var records []cataloguetest.Record
	tests := map[string]string{}
	from := f.Now
	for _, t := range f.Tests {
		if !t.Happens() {
			continue
		}
		if other, ok := tests[t.Account]; ok {
			return nil, fmt.Errorf("%s: test %q: the account %s is that of test %q: they happen at the same time, so give each its own", t.Pos.At("account"), t.Name, t.Account, other)
		}
		tests[t.Account] = t.Name
		if t.Start.Before(from) {
			from = t.Start
		}
		some, err := t.records(f.Now)
		if err != nil {
			return nil, err
		}
		records = append(records, some...)
	}
	refused, err := runner.Load(ctx, records)
	if err != nil {
		return nil, err
	}
	if len(refused) > 0 {
		return nil, fmt.Errorf("%d records were refused:\n  %s", len(refused), strings.Join(refused, "\n  "))
	}
	return ReadHistory(ctx, runner.Conn(), all, Range{From: from, To: f.Now, Present: true})
}

// records are those of the test, with the account that it is about and ids of their own where they say none.
func (t *Test) records(now time.Time) ([]cataloguetest.Record, error) {
	out := cataloguetest.Test{Name: t.Name, Pos: t.Pos}
	for _, of := range []struct {
		all  []map[string]any
		into *[]map[string]any
		id   string
	}{{t.Accounts, &out.Accounts, ""}, {t.Events, &out.Events, "messageId"}, {t.Tickets, &out.Tickets, "source_event_id"}, {t.Signals, &out.Signals, ""}} {
		for i, fields := range of.all {
			some, err := repeat(fields)
			if err != nil {
				return nil, fmt.Errorf("%s: test %q: %w", t.Pos, t.Name, err)
			}
			for n, r := range some {
				if of.id != "" && r[of.id] == nil {
					r[of.id] = fmt.Sprintf("%s-%d-%d", t.Account, i, n)
				}
				t.belongs(r, of.id == "messageId")
				*of.into = append(*of.into, r)
			}
		}
	}
	return out.Records(now)
}

// belongs says whose a record is, unless it does.
func (t *Test) belongs(r map[string]any, event bool) {
	if !event {
		if r["account_id"] == nil {
			r["account_id"] = t.Account
		}
		return
	}
	if r["type"] == nil {
		r["type"] = "track"
	}
	if r["groupId"] == nil && r["context"] == nil {
		r["context"] = map[string]any{"groupId": t.Account}
	}
}

// repeat makes of a record with repeat: {every: 1d, times: 3} three, each so much later, with 0, 1 and 2 for {n} in its texts.
func repeat(fields map[string]any) ([]map[string]any, error) {
	again, ok := fields["repeat"]
	if !ok {
		return []map[string]any{maps.Clone(fields)}, nil
	}
	how, ok := again.(map[string]any)
	times, isNumber := how["times"].(int)
	text, isText := how["every"].(string)
	every, err := duration(text)
	if !ok || !isNumber || !isText || err != nil || times < 1 || times > 10_000 || len(how) != 2 {
		return nil, fmt.Errorf("repeat: %v is not of the kind {every: 1d, times: 3}", again)
	}
	var out []map[string]any
	for n := range times {
		r := map[string]any{}
		for name, v := range fields {
			if name != "repeat" {
				r[name] = later(v, n, time.Duration(n)*every)
			}
		}
		out = append(out, r)
	}
	return out, nil
}

func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// later is a value of the n-th record: times are by so much later.
func later(v any, n int, by time.Duration) any {
	switch v := v.(type) {
	case time.Time:
		return v.Add(by)
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			return at.Add(by)
		}
		return strings.ReplaceAll(v, "{n}", strconv.Itoa(n))
	case map[string]any:
		out := map[string]any{}
		for name, of := range v {
			out[name] = later(of, n, by)
		}
		return out
	default:
		return v
	}
}
