package recount

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// The fields of a signal, in the order in which they make up its id.
var (
	signalTexts = []string{"account_id", "survey_id", "response_id", "user_id", "kind", "comment", "responded_at", "kpi", "unit", "period",
		"period_start", "period_end", "reported_at", "meter", "at", "goal_id", "name", "metric", "direction", "starts_at", "due_at", "owner",
		"defined_at", "version", "notes", "segment"}
	signalNumbers = []string{"scale_min", "scale_max", "score", "value", "limit", "start", "target"}
)

// signal is a signal's fields as they are written, by name.
type signal map[string]string

// parseSignal reads the fields, "malformed" if that cannot be done.
func parseSignal(value []byte) (signal, string) {
	if len(value) > maxRecord {
		return nil, "oversize"
	}
	var o object
	if err := json.Unmarshal(value, &o); err != nil || o == nil {
		return nil, "malformed"
	}
	s := signal{}
	for _, name := range append([]string{"type", "receivedAt"}, signalTexts...) {
		text, err := o.text(name)
		if err != nil {
			return nil, "malformed"
		}
		s[name] = text
	}
	for _, name := range signalNumbers {
		var n *json.Number
		raw, ok := o[name]
		if !ok {
			continue
		}
		if strings.HasPrefix(string(raw), `"`) || json.Unmarshal(raw, &n) != nil {
			return nil, "malformed"
		}
		if n != nil {
			s[name] = n.String()
		}
	}
	return s, ""
}

func (s signal) lacks(names ...string) bool {
	for _, name := range names {
		if s[name] == "" {
			return true
		}
	}
	return false
}

// number is a field's number; a missing one is 0, one too large is not ok.
func (s signal) number(name string) (n float64, ok bool) {
	if s[name] == "" {
		return 0, true
	}
	n, err := strconv.ParseFloat(s[name], 64)
	return n, err == nil
}

// id is what repeats have in common; "" for a goal that is not dated.
func (s signal) id(kind string) string {
	if kind == "goal" && s["defined_at"] == "" {
		return ""
	}
	if kind == "survey" && s["response_id"] != "" {
		return kind + "|" + s["survey_id"] + "|" + s["response_id"]
	}
	parts := []string{kind}
	for _, name := range append(append([]string{}, signalTexts...), signalNumbers...) {
		parts = append(parts, s[name])
	}
	return strings.Join(parts, "|")
}

// read makes a fact of the signal. The reason is empty, or that of the dead
// letter that it is; the verdict's At is set when it could be read.
func (s signal) read(recordTime int64, limits Limits) (key FactKey, fact Fact, reason string) {
	switch s["type"] {
	case "":
		return key, fact, "missing_type"
	case "survey.responded":
		return s.survey(recordTime, limits)
	case "kpi.reported":
		return s.kpi(recordTime, limits)
	case "meter.reported":
		return s.meter(recordTime, limits)
	case "goal.defined":
		return s.goal(recordTime, limits)
	case "release.deployed":
		if s.lacks("version", "at") {
			return key, fact, "missing_field"
		}
		at, received, ok := s.dated("at", recordTime)
		if !ok {
			return key, fact, "bad_time"
		}
		if !s.finite() {
			return key, fact, "bad_value"
		}
		return FactKey{Kind: "release", Entity: s["version"], Name: "deployed", At: at}, Fact{Attributes: s.only("notes", "segment")},
			limits.checkAge(at, received)
	}
	return key, fact, "unknown_type"
}

func (s signal) survey(recordTime int64, limits Limits) (key FactKey, fact Fact, reason string) {
	if s.lacks("survey_id", "account_id", "kind", "score", "responded_at") {
		return key, fact, "missing_field"
	}
	scale, ok := map[string][2]string{"nps": {"0", "10"}, "csat": {"1", "5"}, "ces": {"1", "7"}}[s["kind"]]
	if !ok {
		return key, fact, "unknown_kind"
	}
	at, received, ok := s.dated("responded_at", recordTime)
	if !ok {
		return key, fact, "bad_time"
	}
	for i, name := range []string{"scale_min", "scale_max"} {
		if s[name] == "" {
			s[name] = scale[i]
		}
	}
	low, _ := s.number("scale_min")
	high, _ := s.number("scale_max")
	score, _ := s.number("score")
	if !s.finite() || low >= high || score < low || score > high {
		return key, fact, "bad_value"
	}
	key = FactKey{Kind: "survey", Account: s["account_id"], Entity: s["survey_id"], Name: s["kind"], At: at}
	if s["user_id"] != "" {
		key.User = xxhash.Sum64String("u:" + s["user_id"])
	}
	return key, Fact{Value: score, Attributes: s.only("response_id", "scale_min", "scale_max", "comment")}, limits.checkAge(at, received)
}

func (s signal) kpi(recordTime int64, limits Limits) (key FactKey, fact Fact, reason string) {
	if s.lacks("kpi", "account_id", "value", "reported_at") || s["period"] == "" && s.lacks("period_start", "period_end") {
		return key, fact, "missing_field"
	}
	at, received, ok := s.dated("reported_at", recordTime)
	if !ok {
		return key, fact, "bad_time"
	}
	both := s["period"] != "" && s["period_start"]+s["period_end"] != ""
	var start, end time.Time
	if s["period"] != "" {
		start, end, ok = calendarPeriod(s["period"])
	} else {
		start, end, ok = s.bounds("period_start", "period_end")
	}
	if !ok {
		return key, fact, "bad_time"
	}
	value, _ := s.number("value")
	if both || !s.finite() || !start.Before(end) {
		return key, fact, "bad_value"
	}
	s["period_start"], s["period_end"] = canonicalTime(start), canonicalTime(end)
	return FactKey{Kind: "kpi", Account: s["account_id"], Entity: s["kpi"], Name: "reported", At: at},
		Fact{Value: value, Attributes: s.only("unit", "period", "period_start", "period_end")}, limits.checkAge(at, received)
}

func (s signal) meter(recordTime int64, limits Limits) (key FactKey, fact Fact, reason string) {
	if s.lacks("meter", "account_id", "value", "at") {
		return key, fact, "missing_field"
	}
	at, received, ok := s.dated("at", recordTime)
	if !ok {
		return key, fact, "bad_time"
	}
	value, _ := s.number("value")
	limit, _ := s.number("limit")
	if !s.finite() || value < 0 || limit < 0 {
		return key, fact, "bad_value"
	}
	return FactKey{Kind: "meter", Account: s["account_id"], Entity: s["meter"], Name: "reported", At: at},
		Fact{Value: value, Attributes: s.only("limit")}, limits.checkAge(at, received)
}

func (s signal) goal(recordTime int64, limits Limits) (key FactKey, fact Fact, reason string) {
	if s.lacks("goal_id", "account_id", "start", "target", "starts_at", "due_at") || s["metric"]+s["kpi"]+s["meter"] == "" {
		return key, fact, "missing_field"
	}
	at, received, ok := s.dated("defined_at", recordTime)
	if !ok {
		return key, fact, "bad_time"
	}
	start, end, ok := s.bounds("starts_at", "due_at")
	if !ok {
		return key, fact, "bad_time"
	}
	from, _ := s.number("start")
	target, _ := s.number("target")
	direction := "up"
	if target < from {
		direction = "down"
	}
	measures := len(s.only("metric", "kpi", "meter"))
	if !s.finite() || measures > 1 || from == target || s["direction"] != "" && s["direction"] != direction || !start.Before(end) {
		return key, fact, "bad_value"
	}
	s["direction"], s["starts_at"], s["due_at"] = direction, canonicalTime(start), canonicalTime(end)
	return FactKey{Kind: "goal", Account: s["account_id"], Entity: s["goal_id"], Name: "defined", At: at},
		Fact{Value: target, Attributes: s.only("name", "metric", "kpi", "meter", "start", "direction", "starts_at", "due_at", "owner")},
		limits.checkAge(at, received)
}

// only are the fields of those names that are not empty.
func (s signal) only(names ...string) map[string]string {
	some := map[string]string{}
	for _, name := range names {
		if s[name] != "" {
			some[name] = s[name]
		}
	}
	return some
}

// finite says whether all numbers can be held.
func (s signal) finite() bool {
	for _, name := range signalNumbers {
		if _, ok := s.number(name); !ok {
			return false
		}
	}
	return true
}

// dated reads when the signal happened and was received, in Unix ms.
func (s signal) dated(field string, recordTime int64) (at, received int64, ok bool) {
	received = recordTime
	var err error
	if s["receivedAt"] != "" {
		if received, err = millis(s["receivedAt"]); err != nil {
			return 0, 0, false
		}
	}
	if s[field] == "" {
		return received, received, true
	}
	at, err = millis(s[field])
	return at, received, err == nil
}

// bounds reads two fields that are times or dates.
func (s signal) bounds(from, to string) (start, end time.Time, ok bool) {
	for name, into := range map[string]*time.Time{from: &start, to: &end} {
		text := s[name]
		if len(text) == len(time.DateOnly) {
			text += "T00:00:00Z"
		}
		ms, err := millis(text)
		if *into = time.UnixMilli(ms).UTC(); err != nil || into.Year() < 1900 || into.Year() > 2261 {
			return start, end, false
		}
	}
	return start, end, true
}

func canonicalTime(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z") }

var isoWeek = regexp.MustCompile(`^\d{4}-W(\d\d)$`)

var quarter = regexp.MustCompile(`^\d{4}-Q([1-4])$`)

// calendarPeriod reads a year, quarter, month, ISO week or day.
func calendarPeriod(s string) (start, end time.Time, ok bool) {
	if len(s) < 4 {
		return start, end, false
	}
	year, err := time.Parse("2006", s[:4])
	switch {
	case err != nil:
		return start, end, false
	case len(s) == len("2006"):
		start, end = year, year.AddDate(1, 0, 0)
	case quarter.MatchString(s):
		start = year.AddDate(0, 3*int(s[6]-'1'), 0)
		end = start.AddDate(0, 3, 0)
	case isoWeek.MatchString(s):
		n, _ := strconv.Atoi(isoWeek.FindStringSubmatch(s)[1])
		start = year
		for y, w := start.ISOWeek(); y != year.Year() || w != n; y, w = start.ISOWeek() { // from the year's first days on
			if start = start.AddDate(0, 0, 1); start.Year() > year.Year() {
				return start, end, false
			}
		}
		for start.Weekday() != time.Monday {
			start = start.AddDate(0, 0, -1)
		}
		end = start.AddDate(0, 0, 7)
	default:
		layout, months, days := "2006-01", 1, 0
		if len(s) == len(time.DateOnly) {
			layout, months, days = time.DateOnly, 0, 1
		}
		if start, err = time.Parse(layout, s); err != nil {
			return start, end, false
		}
		end = start.AddDate(0, months, days)
	}
	return start, end, start.Year() >= 1900 && end.Year() <= 2261
}

// signal keeps a signal as a fact.
func (f *Fold) signal(r Record) Verdict {
	s, reason := parseSignal(r.Value)
	if reason != "" {
		return refuse(reason)
	}
	kind, _, _ := strings.Cut(s["type"], ".")
	id := s.id(kind)
	key, fact, reason := s.read(r.Time, f.limits)
	if reason != "" {
		return refuse(reason)
	}
	v := Verdict{Kind: Applied, ID: id, Name: s["type"], At: key.At}
	to := f.sink
	if f.seen.repeated(id, r.Offset) {
		v.Kind, to = Duplicate, f.Repeats
	}
	if to != nil {
		key.ID, key.Source, fact.Offset = factID(id, r.Offset), f.source, r.Offset
		to.Fact(key, fact)
	}
	return v
}
