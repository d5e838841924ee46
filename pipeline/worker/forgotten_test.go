package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/pipeline/forgotten"
)

// TestVerdictsStayWhenSomebodyIsForgotten judges every kind of event of an account and of a user that are forgotten, and of others.
func TestVerdictsStayWhenSomebodyIsForgotten(t *testing.T) {
	plain, masked := spec(t, Telemetry), spec(t, Telemetry)
	masked.Forgotten = forgotten.NewList(forgotten.Account("acme"), forgotten.User("u:ann"))
	before, after := NewCore(plain, 0), NewCore(masked, 0)
	at := base.Format(time.RFC3339Nano)
	seen := map[Verdict]int{}
	for i, event := range []string{
		`"type":"group","userId":"ann","groupId":"acme"`,
		`"type":"group","userId":"bob","groupId":"zeta"`,
		`"type":"identify","userId":"ann"`,
		`"type":"identify","userId":"bob","context":{"groupId":"acme"}`,
		`"type":"alias","userId":"ann","previousId":"x"`,
		`"type":"alias","userId":"bob","previousId":"x","context":{"groupId":"acme"}`,
		`"type":"track","event":"Used","userId":"ann","context":{"groupId":"acme"}`,
		`"type":"track","event":"Used","userId":"ann","context":{"groupId":"zeta"}`,
		`"type":"track","event":"Used","userId":"ann"`,
		`"type":"track","event":"Used","userId":"cy"`,
		`"type":"track","event":"Used","userId":"cy","context":{"groupId":"acme"}`,
		`"type":"page","anonymousId":"ann"`,
		`"type":"screen","userId":"bob"`,
		`"type":"track","userId":"ann"`,
	} {
		value := fmt.Appendf(nil, `{%s,"messageId":"m%d","timestamp":%q}`, event, i, at)
		want, _ := before.Step(&Record{Offset: uint64(i), Time: base.UnixMilli(), Value: value})
		got, _ := after.Step(&Record{Offset: uint64(i), Time: base.UnixMilli(), Value: value})
		require.Equal(t, want, got, "%s", value)
		seen[want]++
	}
	require.Positive(t, seen[Applied])
	require.Positive(t, seen[Filtered])
	require.Positive(t, seen[DeadLettered])
	rows := after.Take().Rows
	for i := range rows.Counters.Value {
		require.Equal(t, "zeta", rows.Counters.AccountID.At(i))
	}
}
