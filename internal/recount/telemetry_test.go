package recount

import (
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
)

// telemetryLog is one morning of the account acme, with everything that can be
// wrong with a record. The expected figures below were worked out by hand.
var telemetryLog = []written{
	// 0: the user's account, for the events that follow without one.
	{value: `{"type":"group","messageId":"m0","userId":"u1","groupId":"acme","timestamp":"2026-03-02T09:00:00Z","receivedAt":"2026-03-02T09:00:01Z"}`},
	{value: `{"type":"track","event":"Signed In","messageId":"m1","userId":"u1","timestamp":"2026-03-02T10:00:00Z","receivedAt":"2026-03-02T10:00:01Z"}`},
	{value: `{"type":"track","event":"Report Started","messageId":"m2","userId":"u1","properties":{"feature":"reports","duration_ms":1200.9},"timestamp":"2026-03-02T10:00:30Z","receivedAt":"2026-03-02T10:00:31Z"}`},
	// 3: the same message again.
	{value: `{"type":"track","event":"Report Started","messageId":"m2","userId":"u1","properties":{"feature":"reports","duration_ms":1200.9},"timestamp":"2026-03-02T10:00:30Z","receivedAt":"2026-03-02T10:05:31Z"}`},
	{value: `{"type":"page","name":"Reports","messageId":"m4","userId":"u1","timestamp":"2026-03-02T10:20:00Z","receivedAt":"2026-03-02T10:20:01Z"}`},
	{value: `{"type":"track","event":"Error","messageId":"m5","userId":"u1","properties":{"feature":"reports","duration_ms":99},"timestamp":"2026-03-02T11:10:00Z","receivedAt":"2026-03-02T11:10:01Z"}`},
	// 6: three hours late; without it the user's visit falls into two sessions.
	{value: `{"type":"track","event":"Report Configured","messageId":"m6","userId":"u1","properties":{"feature":"reports","duration_ms":"300"},"timestamp":"2026-03-02T10:45:00Z","receivedAt":"2026-03-02T13:45:00Z"}`},
	// 7: nobody ever said whose user that is; 8: the message again.
	{value: `{"type":"track","event":"Signed In","messageId":"m7","userId":"u9","timestamp":"2026-03-02T10:00:00Z","receivedAt":"2026-03-02T10:00:01Z"}`},
	{value: `{"type":"track","event":"Signed In","messageId":"m7","userId":"u9","context":{"groupId":"acme"},"timestamp":"2026-03-02T10:00:00Z","receivedAt":"2026-03-02T10:00:01Z"}`},
	// 9: eleven minutes ahead; 10: exactly ten, which is allowed.
	{value: `{"type":"track","event":"Signed In","messageId":"m9","userId":"u1","timestamp":"2026-03-02T12:11:00Z","receivedAt":"2026-03-02T12:00:00Z"}`},
	{value: `{"type":"screen","name":"Home","messageId":"m10","userId":"u2","context":{"groupId":"acme"},"timestamp":"2026-03-02T12:10:00Z","receivedAt":"2026-03-02T12:00:00Z"}`},
	// 11: broken JSON; 12: a user id of the wrong type.
	{value: `{"type":"track","event":`},
	{value: `{"type":"track","event":"Signed In","messageId":"m12","userId":7,"timestamp":"2026-03-02T10:00:00Z"}`},
	// 13: a device whose clock runs nine hours fast: 11:15:05 - (20:00:05 - 20:00:00) = 11:15:00.
	{value: `{"type":"track","event":"Report Published","messageId":"m13","anonymousId":"u1","context":{"groupId":"acme"},"originalTimestamp":"2026-03-02T20:00:00Z","sentAt":"2026-03-02T20:00:05Z","receivedAt":"2026-03-02T11:15:05.0009Z","timestamp":"2026-03-02T20:00:00Z"}`},
	// 14: nothing to count; 15: company in identify, which maps the user as well; 16: that user.
	{value: `{"type":"identify","messageId":"m14","userId":"u1","traits":{"name":"Ann"},"receivedAt":"2026-03-02T10:00:00Z"}`},
	{value: `{"type":"identify","messageId":"m15","userId":"u3","traits":{"company":{"id":"beta"}},"receivedAt":"2026-03-02T10:00:00Z"}`},
	{value: `{"action":"track","event":"Exported","messageId":"m16","userId":"u3","timestamp":"2026-03-02T10:00:00.123Z","receivedAt":"2026-03-02T10:00:01Z"}`},
	// 17: neither user nor message id; 18: the same, and not a duplicate.
	{value: `{"type":"track","event":"Synced","context":{"groupId":"beta"},"timestamp":"2026-03-02T10:00:00Z","receivedAt":"2026-03-02T10:00:01Z"}`},
	{value: `{"type":"track","event":"Synced","context":{"groupId":"beta"},"timestamp":"2026-03-02T10:00:00Z","receivedAt":"2026-03-02T10:00:01Z"}`},
	// 19 to 24: one of each remaining reason.
	{value: `{"event":"Synced","userId":"u1"}`},
	{value: `{"type":"tracks","event":"Synced","userId":"u1"}`},
	{value: `{"type":"track","userId":"u1"}`},
	{value: `{"type":"group","groupId":"acme"}`},
	{value: `{"type":"page","userId":"u1","timestamp":"yesterday"}`},
	{value: `{"type":"page","userId":"u1","timestamp":"2021-03-03T12:00:00Z","receivedAt":"2026-03-02T12:00:00.001Z"}`},
	// 25: fifteen days old: too old for minutes, not for hours and days.
	{value: `{"type":"page","messageId":"m25","userId":"u1","timestamp":"2026-02-15T11:00:00Z","receivedAt":"2026-03-02T12:00:00Z"}`},
	// 26: no times at all: the record's.
	{value: `{"type":"page","messageId":"m26","userId":"u3"}`, time: "2026-03-02T10:00:00.456Z"},
	// 27: an alias is not counted, even of nobody we know; 28: u1's account again.
	{value: `{"type":"alias","messageId":"m27","userId":"u8","previousId":"a"}`},
	{value: `{"type":"group","messageId":"m28","userId":"u1","groupId":"acme"}`},
	// Another partition knows neither the users nor the message ids of the first.
	{partition: 1, value: `{"type":"page","messageId":"m4","userId":"u1","context":{"groupId":"acme"},"timestamp":"2026-03-02T10:59:59.999Z"}`},
	{partition: 1, value: `{"type":"page","messageId":"m28","userId":"u1"}`},
}

func recountTelemetry(t *testing.T) *Result {
	t.Helper()
	log := make([]written, len(telemetryLog))
	for i, w := range telemetryLog {
		w.topic, w.key = "telemetry", "acme"
		log[i] = w
	}
	return recountLog(t, log)
}

func TestEveryRecordHasAVerdict(t *testing.T) {
	r := recountTelemetry(t)
	require.Equal(t, Verdicts{Received: 29, Applied: 15, Duplicate: 2, Filtered: 2, DeadLettered: 10, Next: 29, End: 29},
		r.Sources["telemetry/0"])
	require.Equal(t, Verdicts{Received: 2, Applied: 1, DeadLettered: 1, Next: 2, End: 2}, r.Sources["telemetry/1"])
	require.Equal(t, map[DeadLetterKey]string{
		{"telemetry/0", 7}: "no_account", {"telemetry/0", 9}: "future",
		{"telemetry/0", 11}: "malformed", {"telemetry/0", 12}: "malformed",
		{"telemetry/0", 19}: "missing_type", {"telemetry/0", 20}: "unknown_type",
		{"telemetry/0", 21}: "missing_event", {"telemetry/0", 22}: "missing_user",
		{"telemetry/0", 23}: "bad_time", {"telemetry/0", 24}: "too_old",
		{"telemetry/1", 1}: "no_account",
	}, r.DeadLetters)
}

// hourOf sums an account's counter over sources in the hour of 2 March.
func hourOf(t *testing.T, r *Result, account, hour, metric, feature string) uint64 {
	t.Helper()
	sum := uint64(0)
	for k, n := range r.Counters {
		if k.Tier == Hour && k.Account == account && k.Window == ms(t, hour+":00:00") && k.Metric == metric && k.Feature == feature {
			sum += n
		}
	}
	return sum
}

func TestCounters(t *testing.T) {
	r := recountTelemetry(t)
	for _, c := range []struct {
		account, hour, metric, feature string
		want                           uint64
	}{
		{"acme", "10", "events", "", 5}, // 1, 2, 4, 6 and the other partition's
		{"acme", "10", "page_views", "", 2},
		{"acme", "10", "logins", "", 1},
		{"acme", "10", "errors", "", 0},
		{"acme", "10", "feature_uses", "reports", 2},
		{"acme", "10", "feature_duration_ms", "reports", 1200}, // "300" is not a number
		{"acme", "11", "events", "", 2},
		{"acme", "11", "errors", "", 1},
		{"acme", "11", "feature_errors", "reports", 1},
		{"acme", "11", "feature_uses", "reports", 0},
		{"acme", "12", "events", "", 1},
		{"beta", "10", "events", "", 4}, // 16, 17, 18, 26
		{"beta", "10", "page_views", "", 1},
	} {
		require.Equal(t, c.want, hourOf(t, r, c.account, c.hour, c.metric, c.feature), "%+v", c)
	}
	key := CounterKey{Minute, "acme", ms(t, "10:59:00"), "", "events", "telemetry/1"}
	require.Equal(t, uint64(1), r.Counters[key])
}

func TestAnEventOlderThanATierIsNotFoldedIntoIt(t *testing.T) {
	r := recountTelemetry(t)
	at := clock(t, "2026-02-15T11:00:00Z").UnixMilli()
	count := func(tier Tier) uint64 {
		return r.Counters[CounterKey{tier, "acme", tier.Window(at), "", "events", "telemetry/0"}]
	}
	require.Equal(t, []uint64{0, 1, 1}, []uint64{count(Minute), count(Hour), count(Day)})
}

func TestDistinctUsers(t *testing.T) {
	r := recountTelemetry(t)
	users := func(tier Tier, account, window, metric string) []string {
		names := map[uint64]string{}
		for _, n := range []string{"u:u1", "a:u1", "u:u2", "u:u3", "u:u9"} {
			names[xxhash.Sum64String(n)] = n
		}
		found := map[string]bool{}
		for m := range r.Members {
			if m.Tier == tier && m.Account == account && m.Window == ms(t, window) && m.Metric == metric {
				found[names[m.Member]] = true
			}
		}
		var list []string
		for n := range found {
			list = append(list, n)
		}
		return list
	}
	require.ElementsMatch(t, []string{"u:u1"}, users(Hour, "acme", "10:00:00", "users"))
	require.ElementsMatch(t, []string{"u:u1", "a:u1"}, users(Hour, "acme", "11:00:00", "users"))
	require.ElementsMatch(t, []string{"a:u1"}, users(Hour, "acme", "11:00:00", "active_users"))
	require.ElementsMatch(t, []string{"u:u1", "a:u1", "u:u2"}, users(Day, "acme", "00:00:00", "users"))
	require.ElementsMatch(t, []string{"u:u1", "a:u1"}, users(Day, "acme", "00:00:00", "active_users"))
	require.ElementsMatch(t, []string{"u:u1"}, users(Day, "acme", "00:00:00", "feature_users"))
	require.ElementsMatch(t, []string{"u:u3"}, users(Day, "beta", "00:00:00", "users"))
	require.Empty(t, users(Minute, "acme", "12:11:00", "users"))
}

func TestUserAccounts(t *testing.T) {
	require.Equal(t, map[UserAccountKey]string{
		{"telemetry/0", xxhash.Sum64String("u:u1"), 0}:  "acme",
		{"telemetry/0", xxhash.Sum64String("u:u3"), 15}: "beta",
	}, recountTelemetry(t).UserAccounts)
}

func TestRollingDays(t *testing.T) {
	var log []written
	for day, user := range map[string]string{"2026-03-01": "u1", "2026-03-03": "u2", "2026-03-08": "u1"} {
		log = append(log, written{topic: "telemetry", value: `{"type":"track","event":"Exported","userId":"` + user +
			`","context":{"groupId":"acme"},"timestamp":"` + day + `T10:00:00Z","receivedAt":"2026-03-09T00:00:00Z"}`})
	}
	rolling := recountLog(t, log).Rolling()
	at := func(day string, days int) Rolling {
		return rolling[RollingKey{"acme", clock(t, day+"T00:00:00Z").UnixMilli(), days}]
	}
	require.Equal(t, Rolling{1, 1}, at("2026-03-01", 7))
	require.Equal(t, Rolling{2, 2}, at("2026-03-07", 7))
	require.Equal(t, Rolling{2, 2}, at("2026-03-08", 7)) // u1 of 1 March is out, of 8 March in
	require.Equal(t, Rolling{2, 3}, at("2026-03-08", 28))
	require.Equal(t, Rolling{1, 1}, at("2026-03-10", 7))
	require.Equal(t, Rolling{}, at("2026-03-15", 7))
}
