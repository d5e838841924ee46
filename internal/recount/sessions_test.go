package recount

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestALateEventBridgesTwoSessions(t *testing.T) {
	use := recountTelemetry(t).Use()
	at := func(hour string) Use { return use[WindowKey{Hour, "acme", ms(t, hour+":00:00")}] }
	// u1: 10:00:00, 10:00:30, 10:20, 10:45 (late), 10:59:59.999, 11:10: one
	// session of 70 minutes, and active for 30 s and four pauses of 5 minutes.
	require.Equal(t, Use{Sessions: 1, SessionMS: 70 * 60_000, ActiveMS: 30_000 + 4*5*60_000}, at("10"))
	// a:u1 came once, at 11:15.
	require.Equal(t, Use{Sessions: 1}, at("11"))
	minute := use[WindowKey{Minute, "acme", ms(t, "10:00:00")}]
	require.Equal(t, Use{Sessions: 1, SessionMS: 70 * 60_000, ActiveMS: 30_000 + 5*60_000}, minute)
	day := use[WindowKey{Day, "acme", ms(t, "00:00:00")}]
	require.Equal(t, uint64(3), day.Sessions) // and u2's, at 12:10
}

func TestSessionsEndAtExactlyThirtyMinutes(t *testing.T) {
	page := func(at string) written {
		return written{topic: "telemetry", value: `{"type":"page","userId":"u","context":{"groupId":"a"},"timestamp":"2026-03-02T` + at + `Z"}`}
	}
	use := recountLog(t, []written{page("11:00:00"), page("10:00:00.001"), page("10:30:00")}).Use()
	got := use[WindowKey{Day, "a", ms(t, "00:00:00")}]
	require.Equal(t, Use{Sessions: 2, SessionMS: 30*60_000 - 1, ActiveMS: 5 * 60_000}, got)
}

func TestUserMinutes(t *testing.T) {
	r := recountTelemetry(t)
	var spans []Span
	for k, span := range r.UserMinutes {
		if k.Account == "acme" && k.Minute == ms(t, "10:00:00") {
			spans = append(spans, span)
		}
	}
	require.Equal(t, []Span{{ms(t, "10:00:00"), ms(t, "10:00:30")}}, spans)
}

func TestAbortedTransactionsAndControlRecordsAreNotCounted(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c := cluster(t)
	client := producer(t, c, kgo.TransactionalID("stage"))
	for _, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		require.NoError(t, client.BeginTransaction())
		w := written{topic: "telemetry", value: `{"type":"page","userId":"u","context":{"groupId":"a"}}`}
		require.NoError(t, client.ProduceSync(ctx, w.record(t)).FirstErr())
		require.NoError(t, client.EndTransaction(ctx, commit))
	}
	result, err := Count(ctx, options(c))
	require.NoError(t, err)
	// Two records and their commit marks, one record and its abort mark.
	require.Equal(t, Verdicts{Received: 2, Applied: 2, Next: 5, End: 6}, shortSources(result).Sources["telemetry/0"])
}
