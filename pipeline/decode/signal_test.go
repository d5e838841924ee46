package decode

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/recount"
	"tidemark/schemas"
)

const (
	survey  = `{"type":"survey.responded","survey_id":"s","response_id":"r1","account_id":"acme","user_id":"ann","kind":"nps","score":9,"comment":"good","responded_at":"2026-09-21T13:00:00Z"}`
	kpi     = `{"type":"kpi.reported","kpi":"otif","account_id":"acme","value":0.93,"unit":"ratio","period":"2026-08","reported_at":"2026-09-21T13:00:00Z"}`
	meter   = `{"type":"meter.reported","meter":"storage_gb","account_id":"acme","value":80,"limit":100,"at":"2026-09-21T13:00:00Z"}`
	goal    = `{"type":"goal.defined","goal_id":"g","account_id":"acme","name":"Ship in time","kpi":"otif","start":0.8,"target":0.95,"starts_at":"2026-07-01","due_at":"2026-12-31T12:00:00+01:00","owner":"dana","defined_at":"2026-09-21T13:00:00Z"}`
	release = `{"type":"release.deployed","version":"4.2.0","at":"2026-09-21T13:00:00Z","notes":"new editor"}`
)

// with returns a signal with one member replaced by another, or taken out if that is empty.
func with(signal, member, by string) string {
	if !strings.Contains(signal, member) {
		panic(member)
	}
	if by == "" {
		return strings.Replace(strings.Replace(signal, ","+member, "", 1), member+",", "", 1)
	}
	return strings.Replace(signal, member, by, 1)
}

func TestSignals(t *testing.T) {
	const at = 1_789_995_600_000 // 2026-09-21T13:00:00Z
	for name, tc := range map[string]struct {
		json string
		want Signal
	}{
		"survey": {survey, Signal{Kind: "survey", AccountID: "acme", Entity: "s", Name: "nps", Value: 9, User: xxhash.Sum64String("u:ann"),
			ID:         xxhash.Sum64String("survey|s|r1"),
			Attributes: map[string]string{"response_id": "r1", "scale_min": "0", "scale_max": "10", "comment": "good"}}},
		"kpi": {kpi, Signal{Kind: "kpi", AccountID: "acme", Entity: "otif", Name: "reported", Value: 0.93,
			Attributes: map[string]string{"unit": "ratio", "period": "2026-08", "period_start": "2026-08-01T00:00:00.000Z", "period_end": "2026-09-01T00:00:00.000Z"}}},
		"meter": {meter, Signal{Kind: "meter", AccountID: "acme", Entity: "storage_gb", Name: "reported", Value: 80, Attributes: map[string]string{"limit": "100"}}},
		"goal": {goal, Signal{Kind: "goal", AccountID: "acme", Entity: "g", Name: "defined", Value: 0.95, Attributes: map[string]string{
			"name": "Ship in time", "kpi": "otif", "start": "0.8", "direction": "up", "owner": "dana",
			"starts_at": "2026-07-01T00:00:00.000Z", "due_at": "2026-12-31T11:00:00.000Z"}}},
		"release": {release, Signal{Kind: "release", Entity: "4.2.0", Name: "deployed", Attributes: map[string]string{"notes": "new editor"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, rej := DecodeSignal([]byte(tc.json), recordTime, testLimits)
			require.Nil(t, rej)
			tc.want.Time, tc.want.Received = at, recordTime
			if tc.want.ID == 0 {
				require.NotZero(t, got.ID)
				tc.want.ID = got.ID
			}
			require.Equal(t, &tc.want, got)
		})
	}
}

// TestSignalDuplicates: the same answer, or all the same fields.
func TestSignalDuplicates(t *testing.T) {
	id := func(s string) uint64 {
		got, rej := DecodeSignal([]byte(s), recordTime, testLimits)
		require.Nil(t, rej)
		return got.ID
	}
	require.Equal(t, id(survey), id(with(survey, `"score":9`, `"score":3`)), "of an answer the first counts")
	require.NotEqual(t, id(survey), id(with(survey, `"response_id":"r1"`, "")))
	require.NotEqual(t, id(kpi), id(with(kpi, `0.93`, `0.94`)), "a correction")
	require.Equal(t, id(kpi), id(with(kpi, `"unit"`, `"receivedAt":"2026-09-21T13:10:00Z","x":1,"unit"`)), "sent again")
	require.Zero(t, id(with(goal, `"defined_at":"2026-09-21T13:00:00Z"`, "")), "the definition before may be another again")
}

func TestSignalVerdicts(t *testing.T) {
	for name, tc := range map[string]struct {
		json   string
		reason schemas.Reason
	}{
		"oversize":               {`{"type":"` + strings.Repeat("x", MaxValue) + `"}`, schemas.Oversize},
		"broken":                 {`{"type":"kpi.reported"`, schemas.Malformed},
		"number as text":         {with(kpi, `0.93`, `"0.93"`), schemas.Malformed},
		"text as number":         {with(kpi, `"otif"`, `7`), schemas.Malformed},
		"not UTF-8":              {with(kpi, `otif`, "\xff"), schemas.Malformed},
		"no type":                {`{"kpi":"otif"}`, schemas.MissingType},
		"unknown type":           {`{"type":"kpi.report"}`, schemas.UnknownType},
		"survey without id":      {with(survey, `"survey_id":"s"`, ""), schemas.MissingField},
		"survey without account": {with(survey, `"account_id":"acme"`, ""), schemas.MissingField},
		"survey without score":   {with(survey, `"score":9`, `"score":null`), schemas.MissingField},
		"survey without time":    {with(survey, `"responded_at":"2026-09-21T13:00:00Z"`, `"at":"2026-09-21T13:00:00Z"`), schemas.MissingField},
		"survey of no kind":      {with(survey, `nps`, `mood`), schemas.UnknownKind},
		"score above":            {with(survey, `"score":9`, `"score":11`), schemas.BadValue},
		"score below":            {with(survey, `"score":9`, `"score":-1`), schemas.BadValue},
		"score of csat":          {with(with(survey, `nps`, `csat`), `"score":9`, `"score":0`), schemas.BadValue},
		"two points":             {with(with(survey, `nps`, `csat`), `"score":9`, `"score":0,"scale_min":0,"scale_max":1`), ""},
		"scale upside down":      {with(survey, `"score":9`, `"score":1,"scale_min":1,"scale_max":1`), schemas.BadValue},
		"anonymous":              {with(survey, `"user_id":"ann"`, ""), ""},
		"kpi without period":     {with(kpi, `"period":"2026-08"`, `"period_start":"2026-08-01"`), schemas.MissingField},
		"kpi with two periods":   {with(kpi, `"period":"2026-08"`, `"period":"2026-08","period_start":"2026-08-01"`), schemas.BadValue},
		"kpi of another month":   {with(kpi, `"2026-08"`, `"2026-13"`), schemas.BadTime},
		"kpi backwards":          {with(kpi, `"period":"2026-08"`, `"period_start":"2026-08-01","period_end":"2026-08-01T00:00:00Z"`), schemas.BadValue},
		"kpi too large":          {with(kpi, `0.93`, `1e999`), schemas.BadValue},
		"kpi below zero":         {with(kpi, `0.93`, `-1.5`), ""},
		"meter without time":     {with(meter, `,"at":"2026-09-21T13:00:00Z"`, ` `), schemas.MissingField},
		"meter without limit":    {with(meter, `"limit":100`, ""), ""},
		"meter below zero":       {with(meter, `80`, `-80`), schemas.BadValue},
		"limit below zero":       {with(meter, `100`, `-1`), schemas.BadValue},
		"goal over nothing":      {with(goal, `"kpi":"otif"`, ""), schemas.MissingField},
		"goal over two":          {with(goal, `"kpi":"otif"`, `"kpi":"otif","metric":"users"`), schemas.BadValue},
		"goal without due_at":    {with(goal, `"due_at":"2026-12-31T12:00:00+01:00"`, ""), schemas.MissingField},
		"goal due before":        {with(goal, `"starts_at":"2026-07-01"`, `"starts_at":"2027-07-01"`), schemas.BadValue},
		"goal on no day":         {with(goal, `"starts_at":"2026-07-01"`, `"starts_at":"July"`), schemas.BadTime},
		"goal that is there":     {with(goal, `"target":0.95`, `"target":0.8`), schemas.BadValue},
		"goal the other way":     {with(goal, `"target"`, `"direction":"down","target"`), schemas.BadValue},
		"goal not dated":         {with(goal, `"defined_at":"2026-09-21T13:00:00Z"`, ""), ""},
		"release without name":   {with(release, `"version":"4.2.0"`, ""), schemas.MissingField},
		"release tomorrow":       {with(release, `2026-09-21T13:00:00Z`, `2026-09-22T13:00:00Z`), schemas.Future},
		"kpi of long ago":        {with(kpi, `"reported_at":"2026-09-21T13:00:00Z"`, `"reported_at":"2016-09-21T13:00:00Z"`), schemas.TooOld},
		"bad time":               {with(meter, `2026-09-21T13:00:00Z`, `noon`), schemas.BadTime},
		"bad receivedAt":         {with(meter, `"value"`, `"receivedAt":"noon","value"`), schemas.BadTime},
	} {
		t.Run(name, func(t *testing.T) {
			_, rej := DecodeSignal([]byte(tc.json), recordTime, testLimits)
			if tc.reason == "" {
				require.Nil(t, rej)
				return
			}
			require.NotNil(t, rej)
			require.Equal(t, tc.reason, rej.Reason, rej.Detail)
		})
	}
}

// TestPeriods holds periods to the standard library's calendar.
func TestPeriods(t *testing.T) {
	bounds := func(s string) string {
		start, end, ok := parsePeriod([]byte(s))
		if !ok {
			return ""
		}
		return time.UnixMilli(start).UTC().Format(time.DateOnly) + " " + time.UnixMilli(end).UTC().Format(time.DateOnly)
	}
	for text, want := range map[string]string{
		"2026": "2026-01-01 2027-01-01", "2026-Q1": "2026-01-01 2026-04-01", "2026-Q4": "2026-10-01 2027-01-01", "2026-02": "2026-02-01 2026-03-01",
		"2026-12": "2026-12-01 2027-01-01", "2024-02-29": "2024-02-29 2024-03-01", "2026-W01": "2025-12-29 2026-01-05", "2026-W53": "2026-12-28 2027-01-04",
		"2025-W53": "", "2026-W00": "", "2026-Q5": "", "2026-Q0": "", "2026-13": "", "2026-02-29": "", "2026-W1": "", "26": "", "2026-": "", "2026-QQ": "",
		"1899": "", "2261": "", "2260": "2260-01-01 2261-01-01", "2026/01": "",
	} {
		require.Equal(t, want, bounds(text), text)
	}
	for day := time.Date(1968, 12, 20, 0, 0, 0, 0, time.UTC); day.Year() < 2030; day = day.AddDate(0, 0, 5) {
		year, n := day.ISOWeek()
		start, end, ok := parsePeriod(fmt.Appendf(nil, "%04d-W%02d", year, n))
		require.True(t, ok)
		require.LessOrEqual(t, start, day.UnixMilli())
		require.Less(t, day.UnixMilli(), end)
		require.Equal(t, time.Monday, time.UnixMilli(start).UTC().Weekday())
	}
}

// FuzzSignal is FuzzTelemetry of signals.
func FuzzSignal(f *testing.F) {
	for _, s := range []string{survey, kpi, meter, goal, release, `{"type":"survey.responded"}`, `{"type":7}`, `null`, ``, `{"score":-}`,
		with(kpi, `"2026-08"`, `"2026-W53"`), with(kpi, `"period":"2026-08"`, `"period_start":"2026-08-01","period_end":"2026-09-01T00:00:00Z"`),
		with(kpi, `"2026-08"`, `"2026-Q3"`), with(survey, `"score":9`, `"score":1e-400,"scale_min":-1,"scale_max":1E2`), with(meter, `80`, `-0.0`)} {
		f.Add([]byte(s))
	}
	reasons := []schemas.Reason{schemas.Oversize, schemas.Malformed, schemas.MissingType, schemas.UnknownType, schemas.MissingField, schemas.UnknownKind,
		schemas.BadTime, schemas.BadValue, schemas.Future, schemas.TooOld}
	f.Fuzz(func(t *testing.T, value []byte) {
		signal, rej := DecodeSignal(value, recordTime, testLimits)
		if rej != nil {
			requireRejection(t, rej, reasons)
		} else {
			require.True(t, json.Valid(value))
			require.True(t, utf8.Valid(value))
			requireStorable(t, signal.Time)
		}
		if repeatsNames(value) {
			return
		}
		is, rows := recounted("signals", nil, value)
		if !sameVerdict(t, rej, is) {
			return
		}
		require.Equal(t, is.At, signal.Time)
		require.Equal(t, is.ID != "", signal.ID != 0)
		require.Equal(t, recount.Fact{Value: signal.Value, Attributes: signal.Attributes}, rows.fact)
		want := rows.key
		if is.ID == "" {
			want.ID = 0 // there the offset stands in
		}
		require.Equal(t, want, recount.FactKey{Kind: signal.Kind, Account: signal.AccountID, Entity: signal.Entity, At: signal.Time, Name: signal.Name,
			User: signal.User, ID: signal.ID, Source: "signals/0@x"})
	})
}

func BenchmarkSignal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, rej := DecodeSignal([]byte(survey), recordTime, testLimits); rej != nil {
			b.Fatal(rej)
		}
	}
}
