package rules

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Type is that of a value.
type Type string

// The types.
const (
	Number Type = "number"
	Text   Type = "text"
	Bool   Type = "bool"
	Time   Type = "time"
)

// Value is what an input or a condition amounts to. The zero Value is unknown: neither true nor false, and no number.
type Value struct {
	Known  bool
	Type   Type
	Number float64
	Text   string
	Bool   bool
	Time   time.Time
}

// Num is a known number.
func Num(v float64) Value { return Value{Known: true, Type: Number, Number: v} }

// Str is a known text.
func Str(v string) Value { return Value{Known: true, Type: Text, Text: v} }

// Truth is a known truth.
func Truth(v bool) Value { return Value{Known: true, Type: Bool, Bool: v} }

// At is a known time.
func At(v time.Time) Value { return Value{Known: true, Type: Time, Time: v} }

// True reports whether the value is known to be true.
func (v Value) True() bool { return v.Known && v.Type == Bool && v.Bool }

// False reports whether the value is known to be false.
func (v Value) False() bool { return v.Known && v.Type == Bool && !v.Bool }

func (v Value) String() string {
	switch {
	case !v.Known:
		return "unknown"
	case v.Type == Number:
		return strconv.FormatFloat(v.Number, 'g', -1, 64)
	case v.Type == Bool:
		return strconv.FormatBool(v.Bool)
	case v.Type == Time:
		return v.Time.UTC().Format(time.RFC3339)
	default:
		return v.Text
	}
}

// Kind says where an input comes from.
type Kind string

// The kinds.
const (
	OfView     Kind = "view"     // a column of the view View
	OfAccount  Kind = "account"  // a column of the view accounts: what is known of the account at the instant judged
	OfCalendar Kind = "calendar" // the instant judged, in the account's time zone: see Calendar
)

// Input is one value that a condition reads, of one account at one instant.
type Input struct {
	Kind         Kind
	View, Column string // as in docs/views.md; calendar and its parts for OfCalendar
	Key          string // the value of the view's key column (Shape.Key), or of a map such as accounts.attributes
	Over         Over   // of a view with a key, when Key is empty: how its rows become one value
	Back         int    // how many windows of the view's own length earlier
	Type         Type
	Shape        Shape // of the view
}

// Over says how the rows of an account in a view with a key become one value.
type Over string

// The ways. They skip rows without a value; without any row max, min and sum are unknown, count is 0.
const (
	Max   Over = "max"
	Min   Over = "min"
	Sum   Over = "sum"
	Count Over = "count"
)

// Shape says how the rows of a view are told apart, and what they are made of.
type Shape struct {
	// Step: windows end at every multiple of it (UTC). 0: see Calendar.
	Step time.Duration
	// Size is the length of a window; previous() goes back by it.
	Size time.Duration
	// Calendar: the windows are the account's own calendar periods, from window_start to window_end.
	Calendar bool
	// Key is the column that tells the rows of one account and window apart; empty: there is one.
	Key string
	// Topics are those whose watermarks say whether a window is complete, by role: telemetry, tickets, accounts, signals.
	Topics []string
}

// Windowed reports whether the view's rows belong to windows. Others show the state as it is now.
func (s Shape) Windowed() bool { return s.Step > 0 || s.Calendar }

// WindowEnd is the end of the window that an input reads when at is judged: the one that at lies in, its end included, and
// Back windows earlier. Only of views with a Step.
func (i Input) WindowEnd(at time.Time) time.Time {
	end := at.UTC().Truncate(i.Shape.Step)
	if end.Before(at) {
		end = end.Add(i.Shape.Step)
	}
	return end.Add(-time.Duration(i.Back) * i.Shape.Size)
}

// String is the input as a condition writes it.
func (i Input) String() string {
	name := i.View
	if i.Kind == OfAccount {
		name = "account"
	}
	switch {
	case i.Key != "" && i.Kind == OfAccount:
		name += "." + i.Column + "[" + strconv.Quote(i.Key) + "]"
	case i.Key != "":
		name += "[" + strconv.Quote(i.Key) + "]." + i.Column
	default:
		name += "." + i.Column
	}
	if i.Over != "" {
		name = fmt.Sprintf("%s(%s)", i.Over, name)
	}
	switch i.Back {
	case 0:
		return name
	case 1:
		return "previous(" + name + ")"
	default:
		return fmt.Sprintf("previous(%s, %d)", name, i.Back)
	}
}

// Calendar is the value of a calendar input at an instant in a time zone.
func (i Input) Calendar(at time.Time, zone *time.Location) Value {
	local := at.In(zone)
	quarterMonth := time.Month((int(local.Month())-1)/3*3 + 1)
	switch i.Column {
	case "hour":
		return Num(float64(local.Hour()))
	case "day_of_week":
		return Num(float64((int(local.Weekday())+6)%7 + 1))
	case "day_of_month":
		return Num(float64(local.Day()))
	case "day_of_quarter":
		first := time.Date(local.Year(), quarterMonth, 1, 12, 0, 0, 0, time.UTC)
		today := time.Date(local.Year(), local.Month(), local.Day(), 12, 0, 0, 0, time.UTC)
		return Num(today.Sub(first).Hours()/24 + 1)
	case "day_of_year":
		return Num(float64(local.YearDay()))
	case "month":
		return Num(float64(local.Month()))
	case "quarter":
		return Num(float64(int(quarterMonth)/3 + 1))
	case "now":
		return At(at)
	default:
		return Value{}
	}
}

var calendarColumns = strings.Fields("hour day_of_week day_of_month day_of_quarter day_of_year month quarter now")
