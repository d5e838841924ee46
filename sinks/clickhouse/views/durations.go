package views

import (
	"fmt"
	"strings"
	"time"
)

// durations is the data of the template durations.sql: how the lengths of something are spread, per window of days.
type durations struct {
	*builder
	Days   int64
	Keys   []string // account_id, or segment, and what else has rows of its own
	Values []duration
	Topic  string
	Slices []slice
	rows   string // template of the rows: keys, day and the values, NULL where there is none
}

// duration is something that takes time.
type duration struct {
	Name    string // of the column of the rows, and of the columns made of it
	Count   column // how many there are
	Meaning string
}

// durationsSlice is the data of the rows of durations.
type durationsSlice struct {
	durations
	Ages slice
}

// Slice is for the templates.
func (d durations) Slice(s slice) durationsSlice { return durationsSlice{d, s} }

// Rows is the SQL of what happened on each day.
func (d durationsSlice) Rows() (string, error) { return d.render(d.rows, d) }

// FirstDay is the SQL of the first day that the slice needs, as a DateTime.
func (d durationsSlice) FirstDay() string { return d.StartOfDay((d.Ages.To - 1 + d.Days - 1) * day) }

// MinutesFrom is the SQL of the first minute that the slice needs.
func (d durationsSlice) MinutesFrom() string {
	return d.StartOfDay((d.Ages.To-1+d.Days-1)*day + int64(time.Duration(d.cat.SessionGap)/time.Second) + minute)
}

// OfSegment reports whether the rows are of segments.
func (d durations) OfSegment() bool { return d.Keys[0] == "segment" }

// AccountKeys are the keys with the account in place of the segment.
func (d durations) AccountKeys() []string { return append([]string{"account_id"}, d.Keys[1:]...) }

// MoreKeys are the keys but for the account or segment.
func (d durations) MoreKeys() []string { return d.Keys[1:] }

func (d durations) view(name, comment string) (view, error) {
	query, err := d.render("durations", d)
	if err != nil {
		return view{}, err
	}
	columns := windowColumns(d.Keys...)
	for _, v := range d.Values {
		columns = append(columns, v.Count)
	}
	for _, v := range d.Values {
		columns = append(columns,
			column{v.Name + "_p50", "Nullable(Float64)", "s", "Median of " + v.Meaning + "; NULL without any."},
			column{v.Name + "_p95", "Nullable(Float64)", "s", "95th percentile of " + v.Meaning + ", interpolated; NULL without any."})
	}
	return view{Name: name, Comment: comment, Columns: append(columns, complete), Query: query}, nil
}

// throughDays are slices of ages of windows of days, today's first.
func throughDays(slices []slice) []slice {
	out := append([]slice(nil), slices...)
	out[0].From = 0
	return out
}

// percentiles are the views of how long things take (metrics.md rows 4, 16 and 27), each by the day and over rolling windows.
func (b *builder) percentiles() ([]view, error) {
	families := []struct {
		durations
		name, of string
		days     []int64
	}{
		{durations{Keys: []string{""}, Topic: b.Topics.Telemetry.Name, rows: "session_durations", Slices: ages(day, b.MinutesKept(), 8*day, 64*day),
			Values: []duration{{"session_seconds", column{"sessions", "UInt64", "sessions", "Sessions that started in the window."}, "the lengths of the sessions that started in the window (metrics.md row 4)"}}},
			"session_lengths", "Lengths of the sessions", []int64{1, 28}},
		{durations{Keys: []string{"", "workflow"}, Topic: b.Topics.Telemetry.Name, rows: "run_durations", Slices: b.everything(),
			Values: []duration{{"task_seconds", column{"completed", "UInt64", "runs", "Completed runs that started in the window."}, "the time on task of the completed runs that started in the window (metrics.md row 16)"}}},
			"task_times", "Time on task of the workflows", []int64{1, 28}},
		{durations{Keys: []string{""}, rows: "ticket_durations"}, "ticket_times", "Times to the first reply and to the resolution of the tickets", []int64{1, 28}},
		{durations{Keys: []string{"", "priority"}, rows: "ticket_durations"}, "ticket_times_by_priority", "Times to the first reply and to the resolution of the tickets of each priority, as last told", []int64{28}},
	}
	var out []view
	for _, f := range families {
		if f.name == "task_times" && len(b.cat.Workflows) == 0 {
			continue
		}
		if f.rows == "ticket_durations" {
			f.Topic, f.Slices = b.Topics.Tickets.Name, b.everything()
			f.Values = []duration{
				{"first_reply_seconds", column{"replied", "UInt64", "tickets", "Tickets opened in the window that have a reply of an agent."}, "the times from opening to the first agent reply, of tickets opened in the window (metrics.md row 27)"},
				{"resolution_seconds", column{"resolved", "UInt64", "tickets", "Tickets opened in the window whose solve stands."}, "the times from opening to the standing solve, of tickets opened in the window (metrics.md row 27)"},
			}
		}
		f.builder, f.Slices = b, throughDays(f.Slices)
		for _, of := range []struct{ prefix, key, each string }{{"", "account_id", "account"}, {"segment_", "segment", "segment"}} {
			for _, days := range f.days {
				d := f.durations
				d.Days, d.Keys = days, append([]string{of.key}, f.Keys[1:]...)
				window, length := "day", "by the day (UTC)"
				if days > 1 {
					window, length = itoa(days)+"d", fmt.Sprintf("over %d days (UTC), up to the end of every day", days)
				}
				v, err := d.view(of.prefix+f.name+"_"+window, fmt.Sprintf("%s of each %s, %s. Without any there is no row.", f.of, of.each, length))
				if err != nil {
					return nil, err
				}
				out = append(out, v)
			}
		}
	}
	return out, nil
}

// Columns is the SQL list of names, each after a prefix.
func (b *builder) Columns(prefix string, names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	return strings.Join(out, ", ")
}
