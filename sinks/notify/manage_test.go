package notify

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A dead message is redriven with all that is in it and with the skipped end of its alert, but not if a later state of one of its
// alerts has arrived.
func TestRedrivePicksWholeMessages(t *testing.T) {
	s := func(alert string, seq uint64, message string, o outcome) standing {
		return standing{target: "x", seq: seq, row: row{ID: alert + string(rune('0'+seq)), AlertID: alert, MessageID: message, Outcome: o, Version: 1}}
	}
	all := []standing{
		s("a", 1, "d1", dead), s("b", 1, "d1", dead), s("b", 2, "b2", skipped), s("c", 1, "d2", dead), s("d", 1, "d2", dead), s("e", 2, "e2", skipped), s("f", 1, "f1", pending),
	}
	arrived := map[messageKey]uint64{{"x", "c"}: 2}
	picked := func(sel Selection) (ids []string, outdated int) {
		again, outdated := redrive(all, arrived, sel)
		for _, s := range again {
			ids = append(ids, s.row.ID)
		}
		return ids, outdated
	}
	ids, outdated := picked(Selection{})
	require.Equal(t, []string{"a1", "b1", "b2"}, ids)
	require.Equal(t, 2, outdated)
	ids, outdated = picked(Selection{ID: "a"})
	require.Equal(t, []string{"a1", "b1", "b2"}, ids)
	require.Zero(t, outdated)
	ids, outdated = picked(Selection{ID: "d2"})
	require.Empty(t, ids)
	require.Equal(t, 2, outdated)
	ids, _ = picked(Selection{ID: "f1"})
	require.Empty(t, ids, "it is on its way")
}
