package recount

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOfACompactedLogOnlyWhatIsLeftIsCompared(t *testing.T) {
	r := newResult()
	r.Sources["accounts/0@x"] = Verdicts{Received: 1, Applied: 1, Next: 9, End: 9, Compacted: true}
	r.Sources["telemetry/0@x"] = Verdicts{Received: 1, Applied: 1, Next: 1, End: 1}
	left := AccountChangeKey{Account: "acme", Source: "accounts/0@x", Offset: 8}
	r.AccountChanges[left] = AccountChange{Attributes: map[string]string{"plan": "team"}}
	for c := range checkpointCells(r) {
		require.Equal(t, "telemetry/0@x", c.Source)
	}

	gone := accountChangeCell(AccountChangeKey{Account: "acme", Source: "accounts/0@x", Offset: 3})
	wrong := accountChangeCell(left)
	want, got := accountChangeCells(r), map[Cell]string{gone: "row plan=\"free\"", wrong: "row plan=\"free\""}
	dropCompacted(r, want, got)
	require.Equal(t, []Difference{{Cell: wrong, Want: `row plan="team"`, Got: `row plan="free"`}}, Diff(want, got))

	elsewhere := accountChangeCell(AccountChangeKey{Account: "acme", Source: "telemetry/0@x", Offset: 3})
	got = map[Cell]string{elsewhere: "row"}
	dropCompacted(r, want, got)
	require.Len(t, got, 1)
}

func TestAbsentIsZero(t *testing.T) {
	c := Cell{Table: "counters", Metric: "feature_duration_ms"}
	require.Empty(t, Diff(map[Cell]string{c: "0"}, nil))
	require.Len(t, Diff(map[Cell]string{c: "1"}, nil), 1)
	require.Len(t, Diff(nil, map[Cell]string{c: "1"}), 1)
}
