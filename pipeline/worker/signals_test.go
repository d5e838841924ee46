package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawSignals draws a log of signals: repeated, amended, replaced, broken, late.
func drawSignals(t *rapid.T) []Record {
	var log []Record
	for i := range rapid.IntRange(1, 60).Draw(t, "records") {
		at := base.Add(time.Duration(i) * 20 * time.Second)
		when := at.Add(-time.Duration(rapid.IntRange(0, 3).Draw(t, "late")) * 40 * time.Minute).Format(time.RFC3339)
		n := rapid.IntRange(0, 12).Draw(t, "n")
		v := rapid.SampledFrom([]string{
			fmt.Sprintf(`{"type":"survey.responded","survey_id":"s","response_id":"r%d","account_id":"acme","user_id":"ann","kind":"nps","score":%d,"responded_at":%q}`, n%3, n, when),
			fmt.Sprintf(`{"type":"kpi.reported","kpi":"otif","account_id":"acme","value":%d,"period":"2026-%02d","reported_at":%q}`, n%2, n, when),
			fmt.Sprintf(`{"type":"goal.defined","goal_id":"g","account_id":"acme","kpi":"otif","start":0,"target":%d,"starts_at":"2026-01-01","due_at":"2027-01-01"}`, n%3),
			fmt.Sprintf(`{"type":"release.deployed","version":"4.%d","at":%q}`, n%3, when),
		}).Draw(t, "signal")
		log = append(log, Record{Offset: uint64(i), Time: at.UnixMilli(), Value: []byte(v)})
	}
	return log
}

// TestAnyRunGivesTheSameSignals is TestAnyRunGivesTheSameRows of signals.
func TestAnyRunGivesTheSameSignals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { anyRun(t, spec(t, Signals), drawSignals(t)) })
}

// TestSignalFacts: the same definition of a goal twice is two facts if it is not dated, because another may stand between.
func TestSignalFacts(t *testing.T) {
	core := NewCore(spec(t, Signals), 0)
	goal := `{"type":"goal.defined","goal_id":"g","account_id":"acme","metric":"users","start":0,"target":5,"starts_at":"2026-01-01","due_at":"2027-01-01"}`
	meter := `{"type":"meter.reported","meter":"m","account_id":"acme","value":2.5,"at":"2026-11-20T23:00:00Z"}`
	for offset, step := range []struct {
		value string
		want  Verdict
	}{{goal, Applied}, {goal, Applied}, {meter, Applied}, {meter, Duplicate}, {`{"type":"meter.reported"}`, DeadLettered}} {
		got, _ := core.Step(&Record{Offset: uint64(offset), Time: base.UnixMilli() + int64(offset), Value: []byte(step.value)})
		require.Equal(t, step.want, got, step.value)
	}
	rows := core.Take().Rows
	require.Equal(t, []string{"goal", "goal", "meter"}, rows.Facts.Kind)
	require.Equal(t, []uint64{1, 2}, rows.Facts.ID[:2])
	require.Equal(t, []int64{base.UnixMilli(), base.UnixMilli() + 1}, rows.Facts.At[:2])
	require.Equal(t, []float64{5, 5, 2.5}, rows.Facts.Value)
}
