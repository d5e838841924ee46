package schemas

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDiffTellsWhatChangesAndWhatItLeavesBehind(t *testing.T) {
	const base = `
metrics:
  - {name: exports, view: usage, match: {event: [Data Exported]}, aggregate: count, unit: exports, description: d, decision: x, owner: o}
  - {name: gone, view: usage, match: {event: [Gone]}, aggregate: count, unit: u, description: d, decision: x, owner: o}
  - {name: doubled, view: usage, aggregate: derived, sql: exports * 2, unit: u, description: d, decision: x, owner: o}
segments:
  - {name: big, description: d, where: {seats: {min: 100}}}
`
	const changed = `
events: {logins: [Entered]}
feature: {property: module}
metrics:
  - {name: exports, view: usage, match: {event: [Data Exported, Export Sent]}, aggregate: count, unit: exports, description: d, decision: x, owner: o}
  - {name: doubled, view: usage, aggregate: derived, sql: exports * 3, unit: u, description: other, decision: x, owner: o}
  - {name: new, view: usage, match: {event: [New]}, aggregate: count, unit: u, description: d, decision: x, owner: o}
segments:
  - {name: big, description: d, where: {seats: {min: 50}}, profile: vitally-weighted}
workflows:
  - {name: w, within: 1h, steps: [A, B]}
targets:
  onboarding: {items: [{name: a, event: [A]}, {name: invited, event: [User Invited]}]}
health: {default: pendo-bdf}
`
	a, err := own(t, base)
	require.NoError(t, err)
	b, err := own(t, changed)
	require.NoError(t, err)
	var lines []string
	for _, c := range Diff(a, b) {
		lines = append(lines, c.String())
	}
	require.Equal(t, []string{
		"~ metric doubled (description, sql)",
		"~ metric exports (match): rows so far are of the other meaning, and those of open windows a mixture",
		"- metric gone",
		"+ metric new: it counts from here on; a rebuild gives it the history that the log has",
		"+ workflow w: A is kept from here on; a rebuild gives it the history that the log has",
		"~ set of events logins",
		"~ segment big (profile, where)",
		"~ targets (onboarding): User Invited is kept from here on; a rebuild gives it the history that the log has",
		"~ feature (property): events were counted for the features that another property named",
		"~ health.default",
		"~ metric active_users (the events that it names): rows so far are of the other meaning, and those of open windows a mixture",
		"~ metric logins (the events that it names): rows so far are of the other meaning, and those of open windows a mixture",
	}, lines)
	require.True(t, RebuildAdvised(Diff(a, b)))
	require.Empty(t, Diff(a, a))
}

// TestWhatIsDeclaredIsReadAgain: a catalogue that was kept is the same catalogue.
func TestWhatIsDeclaredIsReadAgain(t *testing.T) {
	text, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	for _, of := range []string{"", string(text)} {
		c, err := own(t, of)
		require.NoError(t, err)
		again, err := Whole("kept", c.Declared())
		require.NoError(t, err)
		require.Equal(t, c.Hash(), again.Hash())
		require.Equal(t, c.ViewsHash(), again.ViewsHash())
		require.Empty(t, Diff(c, again))
		require.NotEqual(t, c.ViewsHash(), c.Hash())
	}
}
