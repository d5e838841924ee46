package decode

import (
	"bytes"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"tidemark/schemas"
)

// Signal is what one record of the signals topic says: an answer to a survey, a value of a customer's own KPI, a reading of a
// meter, a goal, or a release. Which of the fields are set, and to what, is in docs/formats.md.
type Signal struct {
	Kind       string // survey, kpi, meter, goal or release
	AccountID  string // empty of a release
	Entity     string // the survey, KPI, meter, goal or version
	Name       string // what happened: nps, csat, ces, reported, defined or deployed
	Value      float64
	Attributes map[string]string // the fields that are set and are none of the others

	User     uint64 // hash of the user who answered; 0 = nobody's
	ID       uint64 // hash of what duplicates have in common; 0 = none is found
	Time     int64  // Unix ms
	Received int64  // Unix ms
}

// signalScan is one signal while it is read: the texts of its fields, and the numbers that they stand for.
type signalScan struct {
	text   [signalFieldCount][]byte // empty = missing
	number [signalFieldCount]float64
	is     *signalType
	start  int64 // of the KPI's period or the goal's, Unix ms
	end    int64
}

// DecodeSignal reads a signal; recordTime is in Unix ms.
func DecodeSignal(value []byte, recordTime int64, limits Limits) (*Signal, *Rejection) {
	if len(value) > MaxValue {
		return nil, reject(schemas.Oversize, "%d bytes, at most %d are taken", len(value), MaxValue)
	}
	var s signalScan
	if rej := s.read(value); rej != nil {
		return nil, rej
	}
	if rej := s.complete(); rej != nil {
		return nil, rej
	}
	out := &Signal{Kind: s.is.kind, Name: s.is.name, Entity: string(s.text[s.is.entity]), ID: s.id(), Received: recordTime}
	for _, check := range []func() *Rejection{
		func() *Rejection { return s.times(out) }, s.values, func() *Rejection { return s.age(out, limits) },
	} {
		if rej := check(); rej != nil {
			return nil, rej
		}
	}
	if s.is.kind != "release" {
		out.AccountID = string(s.text[signalAccountID])
	}
	if s.is.kind == "survey" {
		out.Name = string(s.text[surveyKind])
		if user := s.text[surveyUserID]; len(user) > 0 {
			out.User = xxhash.Sum64String("u:" + string(user))
		}
	}
	out.Value = s.number[s.is.value]
	out.Attributes = make(map[string]string, len(s.is.attributes))
	for _, f := range s.is.attributes {
		if len(s.text[f]) > 0 {
			out.Attributes[signalFieldNames[f]] = string(s.text[f])
		}
	}
	return out, nil
}

// read finds the fields and the type, and that nothing is missing.
func (s *signalScan) read(value []byte) *Rejection {
	in := scanner{b: value}
	for more := in.object(); more; more = in.member() {
		field := signalFields[string(in.key())]
		switch {
		case field == noSignalField:
			in.skip(1)
		case field <= lastSignalText:
			s.text[field] = in.text()
		default:
			s.text[field] = in.numberOrNull()
		}
		if in.bad {
			return malformed(value, in.i, "not a signal: broken JSON or a field of the wrong type").in(field)
		}
	}
	if in.end(); in.bad {
		return malformed(value, in.i, "not a signal: broken JSON")
	}
	return nil
}

// in names the field that is wrong.
func (r *Rejection) in(f signalField) *Rejection { return r.named(signalFieldNames[f]) }

// complete finds the type, and that nothing is missing of what it needs.
func (s *signalScan) complete() *Rejection {
	name := s.text[signalTypeField]
	if len(name) == 0 {
		return reject(schemas.MissingType, "a signal needs type: one of %s", signalTypeNames).in(signalTypeField)
	}
	if s.is = signalTypes[string(name)]; s.is == nil {
		return reject(schemas.UnknownType, "type %.40q is none of %s", name, signalTypeNames).in(signalTypeField)
	}
	for _, f := range s.is.needs {
		if len(s.text[f]) == 0 {
			return reject(schemas.MissingField, "%s needs %s", name, signalFieldNames[f]).in(f)
		}
	}
	switch {
	case s.is.kind == "kpi" && len(s.text[kpiPeriod]) == 0 && (len(s.text[kpiPeriodStart]) == 0 || len(s.text[kpiPeriodEnd]) == 0):
		return reject(schemas.MissingField, "%s needs period, or period_start and period_end", name).in(kpiPeriod)
	case s.is.kind == "goal" && len(s.text[goalMetric])+len(s.text[kpiName])+len(s.text[meterName]) == 0:
		return reject(schemas.MissingField, "%s needs metric, kpi or meter: what it is measured by", name).in(goalMetric)
	case s.is.kind == "survey" && scales[string(s.text[surveyKind])][0] == "":
		return reject(schemas.UnknownKind, "kind %.40q is none of nps, csat, ces", s.text[surveyKind]).in(surveyKind)
	}
	return nil
}

const signalTypeNames = "survey.responded, kpi.reported, meter.reported, goal.defined, release.deployed"

// id returns the hash of what two records of the same thing have in common: the survey and its answer, else all that is read.
func (s *signalScan) id() uint64 {
	if s.is.undated && len(s.text[s.is.at]) == 0 {
		return 0
	}
	parts := make([][]byte, 1, signalFieldCount)
	parts[0] = []byte(s.is.kind)
	if s.is.kind == "survey" && len(s.text[responseID]) > 0 {
		parts = append(parts, s.text[surveyID], s.text[responseID])
	} else {
		for f := signalAccountID; f < signalFieldCount; f++ {
			parts = append(parts, s.text[f])
		}
	}
	return max(xxhash.Sum64(bytes.Join(parts, []byte{'|'})), 1)
}

// times finds when it happened and when it was received, and puts the bounds of its period into one form.
func (s *signalScan) times(out *Signal) *Rejection {
	for _, f := range []struct {
		field signalField
		to    *int64
	}{{signalReceivedAt, &out.Received}, {s.is.at, &out.Time}} {
		text := s.text[f.field]
		if len(text) == 0 {
			continue
		}
		var ok bool
		if *f.to, ok = parseTime(text); !ok {
			return reject(schemas.BadTime, "%s %.60q is not an RFC 3339 time", signalFieldNames[f.field], text).in(f.field)
		}
	}
	if len(s.text[s.is.at]) == 0 {
		out.Time = out.Received
	}
	switch {
	case s.is.kind == "goal":
		return s.bounds(goalStartsAt, goalDueAt)
	case s.is.kind == "kpi" && len(s.text[kpiPeriod]) == 0:
		return s.bounds(kpiPeriodStart, kpiPeriodEnd)
	case s.is.kind == "kpi":
		var ok bool
		if s.start, s.end, ok = parsePeriod(s.text[kpiPeriod]); !ok {
			return reject(schemas.BadTime, "period %.40q is no year, quarter, month, ISO week or day: 2026, 2026-Q1, 2026-03, 2026-W10, 2026-03-01",
				s.text[kpiPeriod]).in(kpiPeriod)
		}
	}
	return nil
}

// bounds reads the two ends of a period, which may be dates.
func (s *signalScan) bounds(from, to signalField) *Rejection {
	for _, f := range []struct {
		field signalField
		to    *int64
	}{{from, &s.start}, {to, &s.end}} {
		text := s.text[f.field]
		if len(text) == len("2006-01-02") {
			text = append(text[:len(text):len(text)], "T00:00:00Z"...)
		}
		var ok bool
		if *f.to, ok = parseTime(text); !ok || *f.to < firstTime || *f.to >= lastTime {
			return reject(schemas.BadTime, "%s %.60q is neither a date nor an RFC 3339 time, from 1900 to 2261", signalFieldNames[f.field], s.text[f.field]).in(f.field)
		}
	}
	return nil
}

// scales are the usual ones of the kinds of survey.
var scales = map[string][2]string{"nps": {"0", "10"}, "csat": {"1", "5"}, "ces": {"1", "7"}}

// values finds what is wrong with numbers and what contradicts itself, and fills in what is not said.
func (s *signalScan) values() *Rejection {
	if s.is.kind == "survey" {
		scale := scales[string(s.text[surveyKind])]
		for i, f := range []signalField{surveyScaleMin, surveyScaleMax} {
			if len(s.text[f]) == 0 {
				s.text[f] = []byte(scale[i])
			}
		}
	}
	for f := lastSignalText + 1; f < signalFieldCount; f++ {
		if len(s.text[f]) == 0 {
			continue
		}
		var err error
		if s.number[f], err = strconv.ParseFloat(string(s.text[f]), 64); err != nil {
			return reject(schemas.BadValue, "%s %.60s is too large a number", signalFieldNames[f], s.text[f]).in(f)
		}
	}
	switch s.is.kind {
	case "survey":
		return s.survey()
	case "kpi":
		return s.kpi()
	case "meter":
		return s.meter()
	case "goal":
		return s.goal()
	}
	return nil
}

func (s *signalScan) survey() *Rejection {
	low, high, score := s.number[surveyScaleMin], s.number[surveyScaleMax], s.number[surveyScore]
	if low >= high {
		return reject(schemas.BadValue, "scale_min %v is not below scale_max %v", low, high).in(surveyScaleMin)
	}
	if score < low || score > high {
		return reject(schemas.BadValue, "score %v is not on the scale from %v to %v", score, low, high).in(surveyScore)
	}
	return nil
}

func (s *signalScan) kpi() *Rejection {
	if len(s.text[kpiPeriod]) > 0 && len(s.text[kpiPeriodStart])+len(s.text[kpiPeriodEnd]) > 0 {
		return reject(schemas.BadValue, "kpi.reported has period and also period_start or period_end: give one or the other").in(kpiPeriod)
	}
	return s.ordered(kpiPeriodStart, kpiPeriodEnd)
}

func (s *signalScan) meter() *Rejection {
	for _, f := range []signalField{signalValue, meterLimit} {
		if s.number[f] < 0 {
			return reject(schemas.BadValue, "%s %v is negative", signalFieldNames[f], s.number[f]).in(f)
		}
	}
	return nil
}

func (s *signalScan) goal() *Rejection {
	over := 0
	for _, f := range []signalField{goalMetric, kpiName, meterName} {
		over += min(len(s.text[f]), 1)
	}
	if over > 1 {
		return reject(schemas.BadValue, "goal.defined has more than one of metric, kpi and meter").in(goalMetric)
	}
	start, target := s.number[goalStart], s.number[goalTarget]
	if start == target {
		return reject(schemas.BadValue, "start and target are both %v: no progress can be measured", target).in(goalTarget)
	}
	direction := "up"
	if target < start {
		direction = "down"
	}
	if d := s.text[goalDirection]; len(d) > 0 && string(d) != direction {
		return reject(schemas.BadValue, "direction is %.40q, but from start %v to target %v it is %s", d, start, target, direction).in(goalDirection)
	}
	s.text[goalDirection] = []byte(direction)
	return s.ordered(goalStartsAt, goalDueAt)
}

// ordered holds that the period has a length, and writes its ends in one form.
func (s *signalScan) ordered(from, to signalField) *Rejection {
	if s.start >= s.end {
		return reject(schemas.BadValue, "%s %s is not before %s %s", signalFieldNames[from], s.text[from], signalFieldNames[to], s.text[to]).in(from)
	}
	s.text[from], s.text[to] = formatTime(s.start), formatTime(s.end)
	return nil
}

// age holds that it happened within the limits of when it was received.
func (s *signalScan) age(out *Signal, limits Limits) *Rejection {
	rej := limits.check(out.Time, out.Received)
	if rej != nil {
		rej = rej.in(s.is.at)
	}
	return rej
}

func formatTime(ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z")
}
