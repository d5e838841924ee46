package triggers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/pipeline/triggers"
	"tidemark/schemas/rules"
)

// TestKeepFiringFor plays an alert that clears, comes back and clears for good, hour by hour: what is told, and when it is to be
// judged again.
func TestKeepFiringFor(t *testing.T) {
	rule := &rules.Rule{Name: "r", When: &rules.Condition{}, ClearWhen: &rules.Condition{}, Fires: rules.AtWatermark, KeepFiringFor: 3 * time.Hour}
	const unknown, no, yes = triggers.Unknown, triggers.False, triggers.True
	var s triggers.State
	for _, hour := range []struct {
		at            int
		holds, clears triggers.Truth
		level         int
		phase         triggers.Phase
		wake          int // 0: never
		told          string
	}{
		{0, yes, unknown, 1, triggers.Firing, 0, "fired 1"},
		{1, no, yes, 0, triggers.KeepFiring, 4, ""},
		{2, unknown, unknown, 0, triggers.KeepFiring, 4, ""},
		{3, no, no, 0, triggers.Firing, 0, ""}, // between the two conditions: it is not clear any more
		{4, no, yes, 0, triggers.KeepFiring, 7, ""},
		{6, yes, unknown, 2, triggers.Firing, 0, "level 2"},
		{7, no, yes, 0, triggers.KeepFiring, 10, ""},
		{8, no, unknown, 0, triggers.KeepFiring, 10, ""},
		{9, no, yes, 0, triggers.KeepFiring, 10, ""},
		{10, no, yes, 0, triggers.Resolved, 0, "resolved 2"},
		{11, no, yes, 0, triggers.Resolved, 0, ""},
	} {
		at := start.Add(time.Duration(hour.at) * time.Hour)
		next, told := triggers.Step(rule, s, triggers.Observation{
			Account: "acme", At: at, Window: at, Final: true, Holds: hour.holds, Clears: hour.clears, Enough: yes, Level: hour.level,
		})
		text := ""
		for _, tr := range told {
			text += fmt.Sprintf("%s %d", tr.Kind, tr.Level)
		}
		wake := 0
		if w := next.Wake(rule); !w.IsZero() {
			wake = int(w.Sub(start).Hours())
		}
		require.Equal(t, []any{hour.phase, hour.wake, hour.told}, []any{next.Phase, wake, text}, "hour %d", hour.at)
		s = next
	}
}
